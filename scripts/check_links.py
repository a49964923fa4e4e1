"""Check every relative link of the documentation: that the file is there, and the heading, where one is named.

    python scripts/check_links.py

Run by `make docs` and by a test. Links that lead out of the repository are not followed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[[^\]\n]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|srcset|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def pages(top: Path = TOP) -> list[Path]:
    """Every page of the documentation: those at the root, below docs/ and beside the examples."""
    found = {*top.glob("*.md"), *(top / "docs").rglob("*.md"), *(top / "examples").rglob("*.md")}
    return sorted(found)


def problems(page: Path, top: Path = TOP) -> Iterator[str]:
    """What is wrong with the links of `page`, one sentence each."""
    name = page.relative_to(top)
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for match in LINK.finditer(CODE.sub("", text)):
        target = match.group(1) or match.group(2)
        if ELSEWHERE.match(target):
            continue
        path, _, heading = target.partition("#")
        there = page if not path else (page.parent / path).resolve()
        if not there.exists():
            yield f"{name}: {target} leads nowhere"
        elif not there.is_relative_to(top):
            yield f"{name}: {target} leads out of the repository"
        elif heading and there.suffix == ".md" and heading not in anchors(there):
            yield f"{name}: {target} names a heading that is not there"


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as hosting sites make them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number, plain = 1, anchor
        while anchor in found:
            anchor, number = f"{plain}-{number}", number + 1
        found.add(anchor)
    return found


def main() -> int:
    """Print every problem; exit status 1 when there is one."""
    checked = pages()
    wrong = [problem for page in checked for problem in problems(page)]
    for problem in wrong:
        print(problem, file=sys.stderr)
    print(f"{len(checked)} pages, {len(wrong)} broken links")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

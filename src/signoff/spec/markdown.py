"""The headings of a Markdown text with what stands below each: as much of Markdown as a model card's outline needs.

Headings of both kinds (CommonMark 0.31, sections 4.2 and 4.3); code blocks and HTML comments hold none. One pass over
the lines, each looked at a bounded number of times. Only `model_card` needs it.
"""

from __future__ import annotations

import re

from signoff.domain.model_card import Section, has_substance

MOST_SECTIONS = 500
_LONGEST_HEADING = 200
_DEEPEST = 6
_CODE_INDENT = 4
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_NOT_A_PARAGRAPH = ("#", ">", "|", "- ", "* ", "+ ", "```", "~~~", "---", "===", "<")


def read_sections(text: str, first_line: int = 1) -> tuple[Section, ...]:
    """The sections of `text`, whose first line is `first_line` of its file, at most five hundred.

    What stands before the first heading is a section without one, at level 0.
    """
    outline = _Outline(first_line)
    fence, is_comment = "", False
    for number, raw in enumerate(text.split("\n"), start=first_line):
        line = raw.rstrip("\r")
        if fence:
            outline.add(line)
            found = _FENCE.match(line)
            if found and found[1].startswith(fence) and not line[found.end() :].strip():
                fence = ""
            continue
        line, is_comment = _without_comments(line, is_comment=is_comment)
        opening = _FENCE.match(line)
        if opening and not ("`" in opening[1] and "`" in line[opening.end() :]):
            fence = opening[1]
            outline.add(line)
            continue
        heading = _heading(line)
        if heading is not None:
            outline.open(*heading, number)
        elif not outline.underline(line, number):
            outline.add(line)
    return outline.sections()


class _Outline:
    """Collects sections; the last line may still turn out to be a heading when the next one underlines it."""

    def __init__(self, first_line: int) -> None:
        self.done: list[tuple[str, int, int, list[str]]] = [("", 0, first_line, [])]

    def add(self, line: str) -> None:
        self.done[-1][3].append(line)

    def open(self, heading: str, level: int, number: int) -> None:
        if len(self.done) >= MOST_SECTIONS:
            self.add(heading)
            return
        self.done.append((heading[:_LONGEST_HEADING], level, number, []))

    def underline(self, line: str, number: int) -> bool:
        """Make the paragraph line before line `number` a heading, if `line` underlines it."""
        found = _UNDERLINE.fullmatch(line)
        lines = self.done[-1][3]
        if found is None or not lines:
            return False
        former = lines[-1]
        if not former.strip() or former.startswith(" " * _CODE_INDENT) or former.lstrip().startswith(_NOT_A_PARAGRAPH):
            return False
        lines.pop()
        self.open(former.strip(), 1 if found[1][0] == "=" else 2, number - 1)
        return True

    def sections(self) -> tuple[Section, ...]:
        all_ = (
            Section(heading, level, line, has_substance("\n".join(text))) for heading, level, line, text in self.done
        )
        return tuple(section for section in all_ if section.level or section.is_filled)


def _heading(line: str) -> tuple[str, int] | None:
    """The text and level of a line such as ``## Uses``."""
    text = line.lstrip(" ")
    if len(line) - len(text) >= _CODE_INDENT or not text.startswith("#"):
        return None
    level = len(text) - len(text.lstrip("#"))
    rest = text[level:]
    if level > _DEEPEST or (rest and rest[0] not in " \t"):
        return None
    rest = rest.strip()
    closed = rest.rstrip("#")
    return (closed.rstrip() if closed != rest and (not closed or closed[-1] in " \t") else rest), level


def _without_comments(line: str, *, is_comment: bool) -> tuple[str, bool]:
    """`line` without what stands in HTML comments, and whether one goes on past it."""
    kept: list[str] = []
    position = 0
    while position < len(line):
        mark = "-->" if is_comment else "<!--"
        found = line.find(mark, position)
        end = len(line) if found < 0 else found
        if not is_comment:
            kept.append(line[position:end])
        if found < 0:
            break
        position, is_comment = found + len(mark), not is_comment
    return "".join(kept), is_comment

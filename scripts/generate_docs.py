"""Write the generated parts of the documentation anew, from the tables that the code itself uses.

    python scripts/generate_docs.py

Run by `make docs`; a test compares the pages with what this would write.
"""

from __future__ import annotations

from pathlib import Path

from signoff.domain.diagrams import filled

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"

if __name__ == "__main__":
    for page in sorted(REFERENCE.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.name}: written anew")

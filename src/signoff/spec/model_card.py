"""`MODEL_CARD.md` or `README.md` -> `domain.ModelCard`: its front matter read with the care that a pipeline file gets.

The front matter is Hugging Face's ("model card metadata", `modelcard.md` of hub-docs). A card that is wrong is still a
card: what cannot be read is left out and said in its notes, and nothing here raises. The Markdown is kept as it was
written, to be sanitised where it is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from signoff.domain.model_card import Claim, ModelCard
from signoff.spec.fields import kind_of
from signoff.spec.markdown import read_sections
from signoff.spec.problem import Problems
from signoff.spec.tree import Items, Node, Scalar, Table, decode, grow

T = TypeVar("T")

FILES = ("MODEL_CARD.md", "model_card.md", "README.md")
"""Where a model's folder may hold its card; the first that is there counts."""

LARGEST_BYTES = 1024 * 1024
MOST_VALUES = 200
MOST_CLAIMS = 200
FACTS = (
    "license", "license_name", "language", "library_name", "pipeline_tag", "base_model", "datasets", "metrics", "tags",
    "model_name",
)  # fmt: skip
_MOST_NOTES = 3
_LONGEST_VALUE = 300
_MARK = "---"
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and marks that make a line read otherwise than it is; joiners stay, some words need them."""


def read_model_card(content: bytes | str, file: str = FILES[0]) -> ModelCard:
    """The card in `content`, as far as it can be read; never raises because of what it holds."""
    text, notes = _text_of(content)
    front, body, first_line = _split(text, notes)
    facts: dict[str, tuple[str, ...]] = {}
    claims: tuple[Claim, ...] = ()
    root = None if front is None else _grow(front, file, notes)
    if isinstance(root, Table):
        facts = {key: values for key in FACTS if key in root.entries and (values := _values(root.entries[key].value))}
        claims = tuple(_first(_claims(root), MOST_CLAIMS))
    elif root is not None:
        notes.append(f"The front matter must be a mapping of keys to values, not {kind_of(root)}; it is left out.")
    sections = read_sections(body, first_line)
    title = next((section.heading for section in sections if section.level == 1), "")
    return ModelCard(file, title, facts, claims, sections, body, tuple(notes))


def _text_of(content: bytes | str) -> tuple[str, list[str]]:
    """The text that is read, and what is not as it was written."""
    notes: list[str] = []
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if len(data) > LARGEST_BYTES:
        notes.append(f"The card has {-(-len(data) // 1024):,} KiB; the first 1,024 are read.")
        data = data[:LARGEST_BYTES]
        while data and data[-1] & 0xC0 == 0x80:  # noqa: PLR2004 - not within a character
            data = data[:-1]
        data = data[:-1]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        notes.append("The card is not UTF-8 text; what could not be read shows as a question mark.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text, unseen = _UNSEEN.subn("\N{REPLACEMENT CHARACTER}", text)
    if unseen:
        notes.append(f"The card holds {unseen:,} invisible characters, which show as question marks.")
    return text, notes


def _split(text: str, notes: list[str]) -> tuple[str | None, str, int]:
    """The front matter, the Markdown below it, and the line on which that starts."""
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    if first == len(lines) or lines[first].rstrip() != _MARK:
        return None, text, 1
    for number in range(first + 1, len(lines)):
        if lines[number].rstrip() == _MARK:
            # Blank lines stand for what is above, so that a problem names the line of the file.
            return "\n" * (first + 1) + "\n".join(lines[first + 1 : number]), "\n".join(lines[number + 1 :]), number + 2
    notes.append(f"The front matter that starts on line {first + 1} does not end: close it with ---.")
    return None, text, 1


def _grow(front: str, file: str, notes: list[str]) -> Node | None:
    """The tree of the front matter; None with the reasons where it cannot be known, or where it is empty."""
    content, problems = decode(front, file)
    root = None if content is None else grow(content, problems)
    if not problems.has_errors:
        return root
    notes += _said(problems)
    return None


def _said(problems: Problems) -> list[str]:
    found = [problem for problem in problems.sorted() if problem.is_error]
    said = [f"The front matter is left out: line {p.line}, {p.message}." for p in found[:_MOST_NOTES]]
    return [*said, f"And {len(found) - _MOST_NOTES} more problems in it."] if len(found) > _MOST_NOTES else said


def _values(node: Node) -> tuple[str, ...]:
    """The texts in `node`: of a list each item, of a mapping its values, of a word itself."""
    return tuple(_first((text for text in _texts(node) if text), MOST_VALUES))


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        if node.value is not None:
            yield node.text.strip()[:_LONGEST_VALUE]
    elif isinstance(node, Items):
        for item in node.items:
            yield from _texts(item)
    else:
        for key, entry in node.entries.items():
            yield from (f"{key}: {text}"[:_LONGEST_VALUE] for text in _texts(entry.value))


def _claims(root: Table) -> Iterator[Claim]:
    """What `model-index` claims: each metric of each result of each model."""
    for model in _items(root, "model-index"):
        for result in _items(model, "results"):
            task, dataset = (_word(_child(result, key), "name", "type") for key in ("task", "dataset"))
            for metric in _items(result, "metrics"):
                value = _child(metric, "value")
                number = value.value if isinstance(value, Scalar) else None
                name = _word(metric, "name", "type")
                if name and isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
                    yield Claim(name, float(number), task, dataset)


def _items(node: Node | None, key: str) -> list[Node]:
    found = _child(node, key)
    return found.items if isinstance(found, Items) else []


def _child(node: Node | None, key: str) -> Node | None:
    return node.entries[key].value if isinstance(node, Table) and key in node.entries else None


def _word(node: Node | None, *keys: str) -> str:
    """The first of `keys` that holds a word."""
    found = (_child(node, key) for key in keys)
    return next((n.text.strip()[:_LONGEST_VALUE] for n in found if isinstance(n, Scalar) and n.text.strip()), "")


def _first(values: Iterable[T], most: int) -> Iterator[T]:
    return (value for _, value in zip(range(most), values, strict=False))

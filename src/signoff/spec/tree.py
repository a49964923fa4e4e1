"""YAML text -> a tree in which every node knows its place: the only user of PyYAML.

Reads libyaml's events one by one, never recursively, and refuses what a configuration file has no use for before
it can cost anything: aliases and anchors, tags, duplicate keys, several documents, deep nesting, big files.
PyYAML is imported when the first file is read, so that importing this package costs nothing.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from signoff.spec.problem import TOP, Place, Problems, said
from signoff.spec.scalar import Value, resolve
from signoff.spec.syntax import report_syntax

LARGEST_BYTES = 256 * 1024
DEEPEST = 32

_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, hidden line breaks, and the marks that make a line read otherwise than it is."""


class Scalar(NamedTuple):
    """One word or text: as written (`text`), and what it means (`value`). `style` is None where it is not quoted."""

    place: Place
    text: str
    value: Value
    style: str | None


class Items(NamedTuple):
    """A list."""

    place: Place
    items: list[Any]


class Entry(NamedTuple):
    """One key of a mapping with its value."""

    key: Scalar
    value: Any


class Table(NamedTuple):
    """A mapping, by the text of its keys."""

    place: Place
    entries: dict[str, Entry]


Node = Scalar | Items | Table


def find(node: Node, *path: str | int) -> Place:
    """The place of what `path` leads to, or of the last thing on the way there that exists."""
    for part in path:
        if isinstance(node, Table) and isinstance(part, str) and part in node.entries:
            node = node.entries[part].value
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            break
    return node.place


def decode(content: str | bytes, file: str) -> tuple[str | None, Problems]:
    """The text of a file, or None with the reason: too big, not UTF-8, or with characters that do not show."""
    problems = Problems(file)
    try:
        content = content.encode() if isinstance(content, str) else content
        if len(content) > LARGEST_BYTES:
            size = -(-len(content) // 1024)
            problems.error(TOP, f"the file is {size} KiB; at most 256 KiB are read", code="too_large")
            return None, problems
        text = content.decode().removeprefix("\ufeff")
    except UnicodeError:
        problems.error(TOP, "the file is not UTF-8 text", "save it as UTF-8", code="not_utf8")
        return None, problems
    problems = Problems(file, text)
    _refuse_characters(text, problems)
    return (None if problems.has_errors else text), problems


def _refuse_characters(text: str, problems: Problems) -> None:
    """Report each character that has no place in a file people review."""
    if not _REFUSED.search(text):
        return
    for number, line in enumerate(problems.lines, start=1):
        for found in _REFUSED.finditer(line):
            name = "a null byte" if found[0] == "\0" else f"an invisible character (U+{ord(found[0]):04X})"
            problems.error(Place(number, found.start() + 1), f"{name} in the file", "take it out", code="character")


def grow(text: str, problems: Problems) -> Node | None:
    """The tree of `text`; None when it cannot be known (the problems say why) or the file is empty."""
    import yaml  # 40 ms: only when a file is read

    loader = yaml.CLoader(text)
    try:
        return _Builder(problems).build(loader)
    except yaml.YAMLError as error:
        report_syntax(error, problems)
        return None
    finally:
        loader.dispose()


class _Builder:
    """Turns events into nodes with a stack of the open lists and mappings."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.root: Node | None = None
        self.stack: list[tuple[Node, Any]] = []
        self.pending: list[Scalar | None] = []
        self.has_alias = False

    def build(self, loader: Any) -> Node | None:
        """Read every event of `loader`."""
        import yaml

        documents = 0
        while True:
            event = loader.get_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if not self._open(event, is_table=kind is yaml.MappingStartEvent):
                    return None
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.stack.pop()
                self.pending.pop()
            elif kind is yaml.AliasEvent:
                self.has_alias = True
                self.problems.error(
                    self._place(event), "aliases (*name) are not taken", "write the value out", code="alias"
                )
                self._place_node(Scalar(self._place(event), "", None, None))
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    message = "a second document starts here; one file holds one"
                    self.problems.error(self._place(event), message, "put it into a file of its own", code="yaml")
                    return None
            elif kind is yaml.StreamEndEvent:
                return None if self.has_alias else self.root

    def _scalar(self, event: Any) -> None:
        text = event.value
        # `implicit[0]`: written without quotes and without a tag.
        style = event.style or None
        value = resolve(text) if style is None else text
        place = self._place(event)
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, place)
        if "\0" in text:
            self.problems.error(place, "a null character in a text", "take it out", code="character")
        self._place_node(Scalar(place, text, value, style))

    def _open(self, event: Any, *, is_table: bool) -> bool:
        place = self._place(event)
        if len(self.stack) >= DEEPEST:
            message = f"nested more than {DEEPEST} levels deep"
            self.problems.error(place, message, "a pipeline needs six", code="too_deep")
            return False
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, place)
        node: Node = Table(place, {}) if is_table else Items(place, [])
        self._place_node(node)
        self.stack.append((node, None))
        self.pending.append(None)
        return True

    def _refuse_decoration(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            message = f"anchors (&{event.anchor}) are not taken"
            self.problems.error(place, message, "write the value out where it is needed", code="alias")
        if event.tag is not None and event.tag != "!":
            self.problems.error(place, f"tags ({event.tag}) are not taken", "take the tag out", code="tag")

    def _place_node(self, node: Node) -> None:
        """Put `node` where it belongs: the root, the next item, the next key, or the value of the last key."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        if isinstance(parent, Items):
            parent.items.append(node)
            return
        if not isinstance(parent, Table):
            return
        key = self.pending[-1]
        if key is None:
            if not isinstance(node, Scalar):
                self.problems.error(node.place, "a key must be a word, not a list or mapping", code="yaml")
                node = Scalar(node.place, f"\0{len(parent.entries)}", None, None)
            self.pending[-1] = node
            return
        self.pending[-1] = None
        first = parent.entries.get(key.text)
        if first is not None:
            where = f"it is already on line {first.key.place.line}"
            self.problems.error(key.place, f"the key {said(key.text)} comes twice", where, code="duplicate_key")
            return
        parent.entries[key.text] = Entry(key, node)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        if end.line == line:
            return Place(line + 1, column + 1, max(1, end.column - column))
        return Place(line + 1, column + 1, max(1, len(self.problems.line(line + 1).rstrip()) - column))

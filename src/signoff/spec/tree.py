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
        if problems.is_full:
            return
        for found in _REFUSED.finditer(line):
            if problems.is_full:
                return
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
        self.start: Any = None
        self.content: list[Node] | dict[str, Entry] | None = None
        self.key: Scalar | None = None
        self.outer: list[tuple[Any, list[Node] | dict[str, Entry] | None, Scalar | None]] = []
        self.documents = 0
        self.has_alias = False

    def build(self, loader: Any) -> Node | None:
        """Read every event of `loader`; None where the file goes on past what is taken."""
        import yaml

        scalar, table, items = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
        leave = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        next_event = loader.get_event
        while True:
            event = next_event()
            kind = type(event)
            if kind is scalar:
                self._add_scalar(event)
            elif kind in leave:
                self._leave(event)
            elif kind is yaml.StreamEndEvent:
                return None if self.has_alias else self.root
            elif kind is table or kind is items:
                if not self._enter(event, is_table=kind is table):
                    return None
            elif (kind is yaml.AliasEvent and not self._refuse_alias(event)) or (
                kind is yaml.DocumentStartEvent and not self._start_document(event)
            ):
                return None

    def _add_scalar(self, event: Any) -> None:
        text = event.value
        style = event.style or None
        place = self._place(event)
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, place)
        if "\0" in text:
            self.problems.error(place, "a null character in a text", "take it out", code="character")
        self._add(Scalar(place, text, resolve(text) if style is None else text, style))

    def _enter(self, event: Any, *, is_table: bool) -> bool:
        """Open a list or mapping; False when that is too deep."""
        if len(self.outer) >= DEEPEST:
            place = self._place(event)
            message = f"nested more than {DEEPEST} levels deep"
            self.problems.error(place, message, "a pipeline needs six", code="too_deep")
            return False
        if event.anchor is not None or event.tag is not None:
            self._refuse_decoration(event, self._place(event))
        self.outer.append((self.start, self.content, self.key))
        self.start, self.content, self.key = event, {} if is_table else [], None
        return True

    def _leave(self, event: Any) -> None:
        """Close the innermost list or mapping: now its end is known, so that a caret can show all of it."""
        start, content = self.start, self.content
        self.start, self.content, self.key = self.outer.pop()
        place = self._place(start, event)
        self._add(Table(place, content) if isinstance(content, dict) else Items(place, content or []))

    def _add(self, node: Node) -> None:
        """Put `node` where it belongs: the root, the next item, the next key, or the value of the last key."""
        content, key = self.content, self.key
        if type(content) is dict:
            if key is None:
                self.key = node if type(node) is Scalar else self._refuse_key(node)
                return
            self.key = None
            first = content.setdefault(key.text, Entry(key, node))
            if first.key is not key:
                where = f"it is already on line {first.key.place.line}"
                self.problems.error(key.place, f"the key {said(key.text)} comes twice", where, code="duplicate_key")
        elif type(content) is list:
            content.append(node)
        else:
            self.root = node

    def _refuse_key(self, node: Node) -> Scalar:
        """Stands in for a key that is a list or mapping."""
        self.problems.error(node.place, "a key must be a word, not a list or mapping", code="yaml")
        return Scalar(node.place, "", None, None)

    def _refuse_decoration(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            message = f"anchors (&{event.anchor}) are not taken"
            self.problems.error(place, message, "write the value out where it is needed", code="alias")
        if event.tag is not None and event.tag != "!":
            self.problems.error(place, f"tags ({event.tag}) are not taken", "take the tag out", code="tag")

    def _refuse_alias(self, event: Any) -> bool:
        """What it stands for stays unknown, and so does the tree; whether reading on may find other problems."""
        place = self._place(event)
        self.has_alias = True
        message = f"aliases (*{event.anchor}) are not taken"
        self.problems.error(place, message, "write the value out; a text that starts with * needs quotes", code="alias")
        self._add(Scalar(place, "", None, None))
        return not self.problems.is_full

    def _start_document(self, event: Any) -> bool:
        """Whether this is the first document."""
        self.documents += 1
        if self.documents > 1:
            message = "a second document starts here; one file holds one"
            self.problems.error(self._place(event), message, "put it into a file of its own", code="yaml")
        return self.documents == 1

    def _place(self, event: Any, last: Any = None) -> Place:
        """Where `event` stands, up to the end of `last`; as far as its first line goes."""
        start, end = event.start_mark, (last or event).end_mark
        line, column = start.line, start.column
        if end.line == line:
            return Place(line + 1, column + 1, end.column - column or 1)
        return Place(line + 1, column + 1, max(1, len(self.problems.line(line + 1).rstrip()) - column))

"""Reads the keys of one mapping, and reports everything that is wrong with them rather than the first thing.

Every reader returns a value or None; None always comes with a problem, or means that the key was not there. Keys that
nobody asked for are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from signoff.spec import duration
from signoff.spec.problem import Place, Problems, said
from signoff.spec.tree import Items, Node, Scalar, Table

E = TypeVar("E", bound=StrEnum)

_LONGEST_TEXT = 2000


def kind_of(node: Node) -> str:
    """What `node` is, in words that follow "not"."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "true or false"
    if isinstance(node.value, int | float):
        return "a number"
    return "a single string"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be."""
    from difflib import get_close_matches

    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


class Fields:
    """The keys of `table`, called `where` in messages (such as "step approve_model")."""

    def __init__(self, table: Table, where: str, problems: Problems) -> None:
        self.table = table
        self.where = where
        self.problems = problems
        self._asked: dict[str, None] = {}
        self._guessed: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.table.entries

    def error(self, node: Node, message: str, hint: str = "", *, code: str = "invalid") -> None:
        """Refuse `node`."""
        self.problems.error(node.place, message, hint, code=code)

    def node(self, key: str) -> Node | None:
        """The value of `key` as it stands; None when the key is not there."""
        self._asked[key] = None
        entry = self.table.entries.get(key)
        return None if entry is None else entry.value

    def filled(self, key: str) -> Node | None:
        """The value of `key`; an empty one is a problem."""
        node = self.node(key)
        if isinstance(node, Scalar) and node.value is None:
            entry = self.table.entries[key]
            self.problems.error(entry.key.place, f"{key} has no value", "give it one, or take the line out")
            return None
        return node

    def close(
        self, mistakes: Mapping[str, str] | None = None, elsewhere: Callable[[str], str | None] | None = None
    ) -> None:
        """Report every key that nobody asked for.

        `mistakes` maps words often written instead of a key; `elsewhere` answers for a key that has another place.
        """
        for key, entry in self.table.entries.items():
            if key in self._asked:
                continue
            hint = None
            if not self.problems.is_full:
                hint = elsewhere(key) if elsewhere is not None else None
                if hint is None:
                    guess = (mistakes or {}).get(key.lower())
                    guess = guess if guess in self._asked else nearest(key, self._asked)
                    if guess is not None and guess not in self.table.entries:
                        self._guessed.add(guess)
                    known = ", ".join(self._asked)
                    hint = f"did you mean '{guess}'?" if guess is not None else f"known keys are {known}"
            self.problems.error(
                entry.key.place, f"unknown key {said(key)} in {self.where}", hint or "", code="unknown_key"
            )

    def require(self, key: str, hint: str, *, at: Place | None = None, where: str = "") -> None:
        """Report that `key` of `where` is missing, unless it is there under a wrong name. Call after `close`."""
        if key in self.table.entries or key in self._guessed:
            return
        self.problems.error(at or first_place(self.table), f"{where or self.where} has no {key}", hint, code="missing")

    def text(self, key: str) -> str | None:
        """A text that is not empty."""
        node = self.filled(key)
        return None if node is None else self.as_text(node, key)

    def as_text(self, node: Node, name: str) -> str | None:
        """`node` as a text; a number or a boolean has to be quoted, so that nobody wonders what is meant."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            if not node.value.strip():
                self.error(node, f"{name} must not be empty")
                return None
            if len(node.value) > _LONGEST_TEXT:
                self.error(node, f"{name} is longer than {_LONGEST_TEXT} characters")
                return None
            return node.value
        hint = f"write '{node.text}'" if isinstance(node, Scalar) and node.value is not None else ""
        self.error(node, f"{name} must be a text, not {kind_of(node)}", hint, code="type")
        return None

    def named(self, key: str, form: re.Pattern[str], hint: str) -> str | None:
        """A text of the form of a name; a number will do where the form takes its digits."""
        node = self.filled(key)
        if node is None:
            return None
        return self.as_name(node, key, form, hint)

    def as_name(self, node: Node, name: str, form: re.Pattern[str], hint: str) -> str | None:
        """`node` as a name of `form`."""
        text = self.as_text(node, name)
        if text is not None and not form.fullmatch(text):
            self.error(node, f"{name} {said(text)} cannot be used", hint)
            return None
        return text

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        node = self.filled(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.error(node, f"{key} must be true or false, not {_it(node)}", "write true or false", code="type")
        return default

    def whole(self, key: str, *, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        node = self.filled(key)
        if node is None:
            return default
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or not isinstance(node.value, int):
            self.error(node, f"{key} must be a whole number, not {_it(node)}", f"write {key}: {default}", code="type")
            return default
        if not least <= node.value <= most:
            self.error(node, f"{key} must be from {least} to {most}, not {said(node.text)[1:-1]}", code="range")
            return default
        return node.value

    def fraction(self, key: str) -> float | None:
        """A number between 0 and 1, ends excluded."""
        node = self.filled(key)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
            return float(value)
        self.error(node, f"{key} must be a number between 0 and 1, not {_it(node)}", code="type")
        return None

    def duration(self, key: str) -> timedelta | None:
        """A length of time."""
        node = self.filled(key)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.error(node, f"{key} must be a length of time, not {kind_of(node)}", duration.HINT, code="type")
            return None
        try:
            return duration.parse_duration(node.text)
        except ValueError as reason:
            self.error(node, f"{key}: {said(node.text)} {reason}", duration.HINT, code="type")
            return None

    def choice(self, key: str, known: type[E], *, default: E) -> E:
        """One word of an enumeration."""
        word = self.word(key, [str(member) for member in known])
        return default if word is None else known(word)

    def word(self, key: str, known: list[str]) -> str | None:
        """One of `known`."""
        node = self.filled(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text in known:
            return node.text
        guess = nearest(node.text, known) if isinstance(node, Scalar) and not self.problems.is_full else None
        hint = f"did you mean '{guess}'?" if guess else ""
        self.error(node, f"{key} must be {one_of(known)}, not {_it(node)}", hint, code="choice")
        return None

    def table_of(self, key: str, *, may_be_empty: bool = False) -> Table | None:
        """A mapping. With `may_be_empty`, a key with nothing after it is an empty one."""
        node = self.node(key) if may_be_empty else self.filled(key)
        if node is None or isinstance(node, Table):
            return node
        if may_be_empty and isinstance(node, Scalar) and node.value is None:
            return Table(node.place, {})
        self.error(node, f"{key} must be a mapping of keys to values, not {kind_of(node)}", code="type")
        return None

    def items(self, key: str, what: str, example: str = "", *, most: int = 100) -> list[Node] | None:
        """A list of `what` with one to `most` items."""
        node = self.filled(key)
        if node is None:
            return None
        if isinstance(node, Items):
            if len(node.items) > most:
                self.error(node.items[most], f"{key} must hold at most {most}, not {len(node.items)}", code="range")
                return None
            if node.items:
                return node.items
            self.error(node, f"{key} must hold at least one", example)
            return None
        hint = example
        if isinstance(node, Scalar) and isinstance(node.value, str) and len(node.value) <= _LONGEST_TEXT:
            hint = f"write [{quoted(node.value)}]"
        self.error(node, f"{key} must be {what}, not {kind_of(node)}", hint, code="type")
        return None

    def texts(self, key: str, what: str, *, most: int = 100) -> tuple[str, ...]:
        """A list of different texts."""
        found: list[str] = []
        for node in self.items(key, what, most=most) or ():
            text = self.as_text(node, f"each of {key}")
            if text is None:
                continue
            if text in found:
                self.error(node, f"{said(text)} comes twice in {key}", "take one out", code="duplicate")
                continue
            found.append(text)
        return tuple(found)


def first_place(table: Table) -> Place:
    """Where a message about the whole of `table` points: its first key."""
    for entry in table.entries.values():
        return entry.key.place
    return table.place


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`."""
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"


def quoted(text: str) -> str:
    """`text` as one would write it in the file."""
    return "'" + text.replace("'", "''") + "'"


def _it(node: Node) -> str:
    """The value itself where it is short enough to say, else what it is."""
    return said(node.text) if isinstance(node, Scalar) and node.text else kind_of(node)

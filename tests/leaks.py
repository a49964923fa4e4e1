"""Finds secrets in what was logged: our own by their checksum, signed tokens by their shape, passwords by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from signoff.service.credentials import is_well_formed

_OURS = re.compile(r"signoff[a-z]?_[0-9A-Za-z]{42}")
_SIGNED = re.compile(r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}")
NAMES = ("PASSWORD", "GOOD", "SECRET", "WORD")
"""What test modules call the passwords that they type."""


def leaks(logged: str, passwords: Iterable[str] = ()) -> list[str]:
    """Every secret in `logged`, cut short so that the report of it is no second leak."""
    found = [match for match in _OURS.findall(logged) if is_well_formed(match)]
    found += _SIGNED.findall(logged)
    found += [password for password in passwords if password in logged]
    return [f"{secret[:12]}..." for secret in found]


def passwords_of(module: object) -> Iterator[str]:
    """The passwords that a test module types."""
    for name in NAMES:
        value = getattr(module, name, None)
        if isinstance(value, str) and len(value) >= 12:
            yield value

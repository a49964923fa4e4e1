"""`Secret`: a text that shows itself to nobody who did not ask for it by name.

Settings carry what may hold a password as one of these, so that no log line, traceback or f-string tells it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HIDDEN = "[secret]"


@dataclass(frozen=True, slots=True)
class Secret:
    """Wraps a text; `reveal()` is the one way to it. Equal to a secret of the same text."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text, for whoever needs it at this very place."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("A secret is not to be pickled.")


def reveal(secret: Secret | None) -> str | None:
    """The text of a secret that may be missing."""
    return secret.reveal() if secret is not None else None


_SHAPES = re.compile(
    r"(?P<ours>\bsignoff[a-z]?_)[0-9A-Za-z]{36,}"
    r"|(?P<jwt>\beyJ[\w-]{6,}\.)[\w-]{8,}\.[\w-]*"
    r"|(?P<user>\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s/@'\"]+(?=@)"
    r"|(?P<word>\bpassword\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&,;'\"]+)"
    r"|(?P<bearer>\bbearer\s+)[\w.~+/=-]{8,}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """`text` without what has the shape of a secret: our own, signed tokens, and passwords in URLs and settings."""
    return _SHAPES.sub(lambda found: f"{found[found.lastgroup or 0]}{HIDDEN}", text)

"""A provider that knows whom a test tells it: `code` to what it vouches for."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from signoff.domain.account_errors import SignOnError
from signoff.ports import Vouched


@dataclass
class MemoryProvider:
    """Vouches for whoever is in `people`; a code is good once, and for the sign-in that it was made for."""

    issuer: str = "https://id.example.org"
    label: str = "single sign-on"
    people: dict[str, Vouched] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)

    def address(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser would go; what it would bring back is known from then on."""
        self.asked[state] = (nonce, verifier)
        return f"{self.issuer}/authorize?{urlencode({'redirect_uri': redirect_uri, 'state': state})}"

    def redeem(self, redirect_uri: str, *, code: str, nonce: str, verifier: str) -> Vouched:  # noqa: ARG002 - the port's
        """The person of `code`, once."""
        if code in self.used or code not in self.people or (nonce, verifier) not in self.asked.values():
            raise SignOnError("The sign-in provider was not believed: it does not know the code.", "Begin once more.")
        self.used.add(code)
        return self.people[code]

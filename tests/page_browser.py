"""A browser without a browser: pages over the application itself, with cookies, and forms as a person sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from house import House
from signoff.service.sessions import open_session

HOME = "http://testserver"
OF_A_BROWSER = {"Origin": HOME, "Sec-Fetch-Site": "same-origin", "User-Agent": "a test"}


@dataclass
class Form:
    """A form of a page: where it goes and what is in it before anybody types."""

    action: str
    fields: dict[str, Any] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Finds the forms of a page, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "form":
            self.forms.append(Form(named.get("action") or ""))
        elif self.forms and tag in {"input", "textarea", "button", "select"} and named.get("name"):
            if named.get("type") not in {"radio", "checkbox"} or "checked" in named:
                self.forms[-1].fields[str(named["name"])] = named.get("value") or ""
            self._textarea = named["name"] if tag == "textarea" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea and self.forms:
            self.forms[-1].fields[self._textarea] += data
        if data.strip():
            self.words.append(" ".join(data.split()))


class Browser:
    """One browser, signed in as nobody until `sign_in`. Redirects are not followed unless asked."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.client = TestClient(house.client.app, base_url=HOME, follow_redirects=False)

    def sign_in(self, name: str, *methods: str) -> Browser:
        """Be `name`, who proved it by `methods` (a password)."""
        secret = open_session(self._house.desk, name, methods or ("password",), address="127.0.0.1", agent="a test")
        self.client.cookies.set("signoff", secret, domain="testserver.local", path="/")
        return self

    def get(self, path: str, **more: Any) -> Response:
        response: Response = self.client.get(path, **more)
        return response

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> Response:
        """A bare POST as a page of ours sends it, but with no more in it than `data`."""
        response: Response = self.client.post(path, data=data or {}, headers={**OF_A_BROWSER, **headers})
        return response

    def form(self, page: str, action: str) -> Form:
        """The form of `page` that goes to `action`."""
        return next(form for form in forms(self.get(page)) if form.action == action)

    def send(self, page: str, action: str, **typed: Any) -> Response:
        """Open `page`, fill in its form that goes to `action`, send it."""
        return self.post(action, {**self.form(page, action).fields, **typed})


def forms(response: Response) -> list[Form]:
    """Every form of a page."""
    reader = _Reader()
    reader.feed(response.text)
    return reader.forms


def words(response: Response) -> str:
    """What a page says, without its markup."""
    reader = _Reader()
    reader.feed(response.text)
    return " ".join(reader.words)

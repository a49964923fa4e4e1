"""Mail over SMTP, to the server that SIGNOFF_SMTP_URL names.

``smtp://user:password@host:587?from=signoff@example.com``: STARTTLS wherever the server offers it, and always before
a password. ``smtps://`` is TLS from the first byte.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

from signoff.adapters.notify.letter import letter
from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.domain.notice import Message
from signoff.domain.secret import Secret
from signoff.domain.target import RefusedError, Target

TIMEOUT_S = 10.0
_PORTS = {"smtp": 25, "smtps": 465}
_FINAL = 500
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HINT = "Write it as smtp://user:password@host:587?from=signoff@example.com"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, as whom, and from which address it comes."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: Secret | None
    sender: Address


def read_server(url: Secret, public_host: str) -> MailServer:
    """The mail server that `url` names; mail comes from ``signoff@`` the public host unless it says otherwise.

    Raises:
        ConfigurationError: it names none.
    """
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
        query = parse_qs(parts.query, keep_blank_values=True)
        given = query.pop("from", [f"signoff@{public_host}"])[0]
        sender = Address("signoff", addr_spec=given)
    except (ValueError, IndexError) as error:
        raise ConfigurationError("SIGNOFF_SMTP_URL is no address of a mail server.", _HINT) from error
    if parts.scheme not in _PORTS or not parts.hostname or query:
        raise ConfigurationError("SIGNOFF_SMTP_URL is no address of a mail server.", _HINT)
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        is_tls=parts.scheme == "smtps",
        user=unquote(parts.username) if parts.username else None,
        password=Secret(unquote(parts.password)) if parts.password else None,
        sender=sender,
    )


class MailNotifier:
    """Hands mails in, several over one connection."""

    def __init__(self, url: Secret, public_host: str, tls: ssl.SSLContext | None = None) -> None:
        self._server = read_server(url, public_host)
        self._domain = public_host
        self._tls = tls

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:  # noqa: ARG002 - there is one mail server
        """A way to send mails."""
        connections: list[smtplib.SMTP] = []

        def send(message: Message) -> str:
            if not message.to:
                raise RefusedError("There is no address to send this to.", is_final=True)
            try:
                mail = letter(message, self._server.sender, self._domain)
            except ValueError as error:
                raise RefusedError(f"{message.to!r} is no mail address.", is_final=True) from error
            try:
                if not connections:
                    connections.append(self._connect())
                return _hand_in(connections[0], mail)
            except smtplib.SMTPRecipientsRefused as error:
                code, said = next(iter(error.recipients.values()))
                raise RefusedError(
                    f"{message.to} was refused: {code} {_words(said)}", is_final=code >= _FINAL
                ) from error
            except smtplib.SMTPDataError as error:
                final = error.smtp_code >= _FINAL
                raise RefusedError(f"{error.smtp_code} {_words(error.smtp_error)}", is_final=final) from error
            except (smtplib.SMTPException, OSError) as error:
                raise UnavailableError(
                    f"The mail server {self._server.host} did not take it: {_words(error)}", "See SIGNOFF_SMTP_URL."
                ) from error

        try:
            yield send
        finally:
            for connection in connections:
                with suppress(smtplib.SMTPException, OSError):
                    connection.quit()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        tls = self._tls or ssl.create_default_context()
        if server.is_tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=tls)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=tls)
            elif server.password is not None and server.host not in _LOOPBACK:
                connection.close()
                raise smtplib.SMTPException("it offers no TLS, and the password is not sent in the clear")
        if server.user is not None:
            connection.login(server.user, server.password.reveal() if server.password is not None else "")
        return connection


def _hand_in(connection: smtplib.SMTP, mail: EmailMessage) -> str:
    refused = connection.send_message(mail)
    return "250 accepted" if not refused else str(refused)


def _words(said: object) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(text.split())

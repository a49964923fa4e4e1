"""The webhook deployer: asks the administrator's own service to deploy. Only `bootstrap` imports this.

The request is signed by the Standard Webhooks specification, and its ``webhook-id`` is the idempotency key: whoever
takes over from a worker that died asks again under the same. The service answers at once that it is done, or says where
to ask how it goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from signoff.adapters.deploy.aftermath import check_stop, gone_back, wait_for_health
from signoff.adapters.deploy.alias import AliasDeployer, mirror
from signoff.adapters.deploy.order import Action, key_of, order_of
from signoff.adapters.deploy.reference import look_up
from signoff.adapters.deploy.saying import Saying
from signoff.domain.deployer import WebhookSpec
from signoff.domain.drift import Aliases, Sighting
from signoff.domain.environment import Environment
from signoff.domain.errors import (
    CancelledError,
    HandedBackError,
    InvalidError,
    MachineryError,
    SignoffError,
    UnavailableError,
)
from signoff.domain.secret import Secret, redacted
from signoff.domain.span import span
from signoff.outbound import Outbound
from signoff.outbound.client import Answer, UnwelcomeAnswerError
from signoff.outbound.signing import signed
from signoff.ports import Live, Release, Tracking
from signoff.proof.manifest import verify

_PAUSE = 2.0
_LONGEST_PAUSE = 30.0
_LONGEST_WORDS = 500
_LATER = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT}
)
"""Answers of the 4xx that mean another time, not never."""


class WebhookDeployer:
    """Deploys by asking the address of `WebhookSpec`; `pause` seconds lie between two questions how it goes."""

    def __init__(
        self, outbound: Outbound, tracking: Tracking, clock: Callable[[], datetime], *, pause: float = _PAUSE
    ) -> None:
        self._outbound = outbound
        self._tracking = tracking
        self._clock = clock
        self._alias = AliasDeployer(tracking)
        self._pause = pause

    def deploy(self, release: Release, /) -> str | None:
        """Ask for it, wait until it is done and healthy, move the alias; returns the address that was answered.

        Raises:
            DigestMismatchError: the bytes are not those of the version; nothing was asked.
            UnhealthyError: it did not get healthy; the former version was asked for again.
            UnavailableError: nobody answered, or the registry is away.
            MachineryError: it was refused or failed; what had begun was taken back.
            HandedBackError, CancelledError: `should_stop` ended it.
        """
        version, environment = release.version, release.environment
        spec = environment.deployer.webhook
        if spec is None:
            raise MachineryError(f"{environment.name} names no webhook.", "Apply its environments file again.")
        verify(release.path, version.digest)
        self._tracking.list_aliases()  # rather now than when it is done
        secret = look_up("secret", spec.secret)
        call = _Call(self._outbound, self._clock, spec, release, secret, self._pause)
        try:
            address = call.carry_out("deploy")
            call.wait_for_health()
            self._tracking.set_alias(version.model, environment.deployer.alias, version.version)
        except (HandedBackError, CancelledError, _SilentError, _RefusedError):
            raise
        except SignoffError as error:
            raise call.gone_back(error) from error
        mirror(self._tracking, release)
        return address

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """What the environment's alias points at: it moves when a deployment has succeeded, and at no other time."""
        return self._alias.current(environment, model)

    def observe(self, environment: Environment, models: Collection[str], aliases: Aliases, /) -> list[Sighting]:
        """What the alias says: a service is not asked what runs."""
        return self._alias.observe(environment, models, aliases)

    def is_ours(self, environment: Environment, model: str, /) -> bool:  # noqa: ARG002  (the port's words)
        """No machine of signoff's keeps it serving."""
        return False

    def ensure(self, release: Release, /) -> str | None:
        """Ask for it again only when the alias is gone."""
        if self.current(release.environment, release.version.model) is None:
            return self.deploy(release)
        return None


class _SilentError(UnavailableError):
    """Nobody took the request: there is nothing to take back, and the same is asked again."""


class _RefusedError(MachineryError):
    """The service took nothing on."""


class _Call:
    """The requests of one deployment."""

    def __init__(
        self,
        outbound: Outbound,
        clock: Callable[[], datetime],
        spec: WebhookSpec,
        release: Release,
        secret: Secret,
        pause: float,
    ) -> None:
        self._outbound = outbound
        self._clock = clock
        self._spec = spec
        self._release = release
        self._secret = secret
        self._pause = pause
        self._saying = Saying(release.log, [secret])
        self._host = urlsplit(spec.url).hostname or "?"

    def carry_out(self, action: Action) -> str | None:
        """Ask for `action` and wait until it is done; returns the address that was answered, if one was."""
        deadline = time.monotonic() + self._spec.timeout.total_seconds()
        order = order_of(self._release, action)
        self._saying.say(f"asks {self._host} for {action} of {order['model']} v{order['version']}")
        state = self._state(self._post(action, order))
        while state.next_url is not None:
            if time.monotonic() + state.pause >= deadline:
                raise MachineryError(
                    f"{self._host} was not done within {span(self._spec.timeout)}: {state.words}.",
                    "Raise the deployer's timeout, or look there what takes so long.",
                )
            check_stop(self._release)
            time.sleep(state.pause)
            state = self._poll(action, state)
        self._saying.say(f"{self._host} is done")
        return state.address

    def wait_for_health(self) -> None:
        """Ask the health address until it answers with a success, if there is one."""
        if self._spec.health_url is not None:
            wait_for_health(self._release, self._saying, self._look, self._pause)

    def gone_back(self, error: SignoffError) -> SignoffError:
        """Ask for the former version again; the error that says what came of it."""
        return gone_back(error, self._release, self._saying, self._back)

    def _back(self) -> None:
        self.carry_out("rollback")

    def _look(self, _seconds: float) -> str | None:
        try:
            self._outbound.get(self._spec.health_url or "", is_configured=True)
        except UnavailableError as error:
            return error.what.rstrip(".")
        return None

    def _post(self, action: Action, order: Mapping[str, Any]) -> Answer:
        now = self._clock().astimezone(UTC)
        document = {"type": f"deployment.{action}", "timestamp": now.isoformat(), "data": order}
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        headers = {"Content-Type": "application/json", **self._signed(action, now, body)}
        try:
            return self._outbound.ask("POST", self._spec.url, body=body.encode(), headers=headers, is_configured=True)
        except UnwelcomeAnswerError as error:
            is_final = HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            if is_final and error.status not in _LATER:
                raise _RefusedError(
                    error.what, "Its administrator may know why; `signoff retry` asks again."
                ) from error
            raise _SilentError(error.what, error.hint) from error
        except UnavailableError as error:
            raise _SilentError(error.what, error.hint) from error
        except InvalidError as error:
            raise _RefusedError(error.what, error.hint) from error

    def _poll(self, action: Action, state: _State) -> _State:
        """How it goes by now; a service that does not answer meanwhile is asked again."""
        url = state.next_url or self._spec.url
        headers = self._signed(action, self._clock(), "")
        try:
            return self._state(self._outbound.get(url, is_configured=True, headers=headers), url=url)
        except UnavailableError as error:
            self._saying.say(error.what)
            return _State(error.what.rstrip("."), url, self._pause)

    def _signed(self, action: Action, at: datetime, body: str) -> dict[str, str]:
        try:
            return signed(self._secret, key_of(self._release, action), at, body)
        except InvalidError as error:
            raise _RefusedError(f"{error.what} It is in {self._spec.secret.where}.", error.hint) from error

    def _state(self, answer: Answer, url: str | None = None) -> _State:
        """What an answer means: done, or under way and asked for at some address.

        Raises:
            MachineryError: it failed, or the answer cannot be read.
        """
        said = _document(answer, self._host)
        is_asked_how_it_goes = url is not None  # then a page that says nothing of it is no success
        silent = None if is_asked_how_it_goes else "succeeded"
        word = said.get("status", "pending" if answer.status == HTTPStatus.ACCEPTED else silent)
        why = said.get("why")
        words = redacted(why)[:_LONGEST_WORDS] if isinstance(why, str) and why.isprintable() else ""
        if word == "failed":
            raise MachineryError(f"{self._host} says that it failed{f': {words}' if words else ''}.", "Look there.")
        if not isinstance(word, str) or word not in {"pending", "succeeded"}:
            what = "did not say how it goes" if word is None else f"answered with the status {str(word)[:40]!r}"
            raise MachineryError(f"{self._host} {what}.", "Let its status be succeeded, failed or pending.")
        address = said.get("address")
        address = address if isinstance(address, str) and address.startswith(("http://", "https://")) else None
        following = answer.headers.get("location") or said.get("status_url") or url
        if word == "succeeded" or not isinstance(following, str):
            return _State(words, None, 0, address)
        if words:
            self._saying.say(f"{self._host}: {words}")
        return _State(words or "it is under way", self._same_origin(following), self._pause_of(answer), address)

    def _same_origin(self, location: str) -> str:
        """The address to ask how it goes: on the host that the administrator named, and on no other."""
        url = urljoin(self._spec.url, location)
        if _origin(url) != _origin(self._spec.url):
            raise MachineryError(
                f"{self._host} says to ask another host how it goes.", "It answers with an address of its own."
            )
        return url

    def _pause_of(self, answer: Answer) -> float:
        asked = answer.headers.get("retry-after", "")
        return min(float(asked), _LONGEST_PAUSE) if asked.isdigit() and int(asked) else self._pause


@dataclass(frozen=True, slots=True)
class _State:
    """How it goes: in words, where to ask next (None: it is done), after how many seconds, where it answers."""

    words: str
    next_url: str | None
    pause: float
    address: str | None = None


def _document(answer: Answer, host: str) -> dict[str, Any]:
    """The JSON of an answer; empty where there is none."""
    if not answer.body.strip() or "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MachineryError(f"{host} answered with something else than a JSON object.", "See the how-to page.")
    return found


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port; of what is no address, one that nothing has."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port

"""What a registry's news start: pipelines that are registered with the server, and what came of each new version.

The registry is asked what is new; its webhook is only a hint to ask at once. Neither says for sure who registered a
version, so whoever could have is barred from approving it: see `contributors`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from signoff.domain.actor import Directory
from signoff.domain.errors import ConflictError, InvalidError, NotAuthenticatedError, NotFoundError
from signoff.domain.secret import Secret

HOOK_TOLERANCE = timedelta(minutes=5)
"""How far a webhook's own time may be from ours. Within it a delivery is taken once, outside of it never."""
HOOK_SCHEME = "v1"
_LONGEST_ID = 200


class TriggerError(InvalidError):
    """A pipeline that cannot be registered as it is."""

    code = "bad_trigger"


class PipelineExistsError(ConflictError):
    """Another pipeline has this name, or is started by this model, already."""

    code = "pipeline_exists"


class PipelineUnknownError(NotFoundError):
    """No pipeline of this name is registered."""

    code = "pipeline_unknown"


class AlreadyStartedError(ConflictError):
    """The version has its run already."""

    code = "already_started"


class HookRefusedError(NotAuthenticatedError):
    """A webhook that is not signed with our secret."""

    code = "hook_refused"


class HookStaleError(NotAuthenticatedError):
    """A webhook that was signed too long ago, or in the future."""

    code = "hook_stale"


class HookRepeatedError(ConflictError):
    """A webhook that was taken before."""

    code = "hook_repeated"


@dataclass(frozen=True, slots=True)
class Watch:
    """A registered pipeline: each version of `watched` after number `seen` gets a run, which counts as `owner`'s.

    `model` is what its runs are about: `watched` itself, or the model that its versions are copied into. `problem`
    says why versions wait that should have a run by now, and since when.
    """

    name: str
    watched: str
    model: str
    source: str
    digest: str
    owner: str
    added_at: datetime
    seen: int
    filename: str = "signoff.yaml"
    folder_name: str | None = None
    snapshot: str | None = None
    made_by: tuple[str, ...] = ()
    problem: str | None = None
    problem_at: datetime | None = None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A registered version, as the registry tells of it. `named` are the users that it names; nobody proves them.

    `is_ours`: signoff's own training or submission made it, which has a run. `made_at` tells versions of the same
    number apart, where a model was deleted and made anew.
    """

    model: str
    version: int
    made_at: datetime
    is_ready: bool = True
    is_ours: bool = False
    named: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How people name it: ``fraud-detector v3``."""
        return f"{self.model} v{self.version}"


@dataclass(frozen=True, slots=True)
class Start:
    """What came of a version: the run that was started, or why none was."""

    model: str
    version: int
    made_at: datetime
    pipeline: str
    at: datetime
    run_id: str | None = None
    why_not: str | None = None
    named: tuple[str, ...] = field(default=())


def contributors(made_by: Iterable[str], named: Iterable[str], people: Directory) -> frozenset[str]:
    """Who may have made a version that the registry told of, besides whoever submits it, and so does not approve it.

    That is everybody who the pipeline says may register versions, and whoever of us the registry has `named`, by
    account or mail address. The last is a word that anybody can write there: it bars people, and never clears them.
    """
    by_mail = {person.email.casefold(): person.name for person in people.people.values() if person.email}
    by_name = {name.casefold(): name for name in people.people}
    told = (by_name.get(word.casefold()) or by_mail.get(word.casefold()) for word in named)
    allowed = (member for reference in made_by for member in people.members(reference))
    return frozenset(allowed).union(name for name in told if name is not None)


def check_hook(secret: Secret, body: bytes, headers: Mapping[str, str], now: datetime) -> str:
    """The id of a webhook's delivery that is signed with `secret` and fresh; `headers` have small letters.

    As MLflow signs: base64 of HMAC-SHA256 over ``<delivery id>.<unix time>.<body>``, with the secret's own letters as
    the key. Source: mlflow/webhooks/delivery.py of MLflow 3.

    Raises:
        HookRefusedError: it is not.
        HookStaleError: it is, but of another time.
    """
    delivery, sent = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
    given = headers.get("x-mlflow-signature", "").split(",", 1)
    is_whole = 0 < len(delivery) <= _LONGEST_ID and sent.isascii() and sent.isdigit() and given[0] == HOOK_SCHEME
    signed = hmac.new(secret.reveal().encode(), b".".join([delivery.encode(), sent.encode(), body]), hashlib.sha256)
    expected = base64.b64encode(signed.digest())
    if not is_whole or not hmac.compare_digest(expected, given[-1].encode()):
        raise HookRefusedError(
            "The webhook is not signed with the secret of this server.",
            "Give MLflow's webhook the secret that SIGNOFF_MLFLOW_WEBHOOK_SECRET holds.",
        )
    try:
        age = now - datetime.fromtimestamp(int(sent), UTC)
    except (OverflowError, OSError, ValueError):
        age = timedelta.max
    if abs(age) > HOOK_TOLERANCE:
        raise HookStaleError(
            f"The webhook was sent at another time than now ({sent}).", "Compare the clocks of MLflow and this server."
        )
    return delivery

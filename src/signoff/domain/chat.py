"""Answering from a chat: who pressed which button there, what is shown to them, and whether a gate takes that at all.

Values and rules only. How a service such as Slack proves who pressed is the adapter's; what comes of it is `service`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.environment import Environment
from signoff.domain.errors import CannotDecideError, ConflictError, InvalidError, NotAuthenticatedError, NotFoundError
from signoff.domain.gate import Gate, Verdict
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline
from signoff.domain.protection import who_asks_for_passkey

CODE_LASTS = timedelta(minutes=15)
"""How long somebody in a chat may take to sign in and say which account here is theirs."""

QUESTION_LASTS = timedelta(minutes=5)
"""How long the question whether one really approves can be answered."""


class ChatSignatureError(NotAuthenticatedError):
    """The chat service did not sign this, or did too long ago."""

    code = "chat_signature"


class ChatRepeatedError(ConflictError):
    """The same call came a second time."""

    code = "chat_repeated"


class ChatCallError(InvalidError):
    """Signed by the chat service, and yet nothing that can be read."""

    code = "bad_chat_call"


class ChatRefusedError(CannotDecideError):
    """This gate is not decided in a chat, or not by what was pressed."""

    code = "chat_refused"


class ChatUnknownError(NotFoundError):
    """No account of a chat is linked so, or its code is used or too old."""

    code = "chat_unknown"


class ChatTakenError(ConflictError):
    """That account of the chat is linked to somebody else."""

    code = "chat_taken"


class Act(StrEnum):
    """What a button does. `open` leads to a page and asks nothing of the server."""

    OPEN = "signoff.open"
    APPROVE = "signoff.approve"
    CONFIRM = "signoff.confirm"
    CANCEL = "signoff.cancel"


@dataclass(frozen=True, slots=True)
class ChatUser:
    """Somebody in a chat, as the service vouches for them: a workspace and a user of it, and what they are called."""

    team: str
    user: str
    name: str = ""
    team_name: str = ""

    @property
    def said(self) -> str:
        """Who that is, in words."""
        where = self.team_name or self.team
        return f"{self.name} ({self.user}) of {where}" if self.name else f"{self.user} of {where}"


@dataclass(frozen=True, slots=True)
class ChatAccount:
    """A user of a chat who is a person here: both said so."""

    who: ChatUser
    person: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed. `signature` is another one for each; `answer_to` takes what they are told."""

    who: ChatUser
    act: str
    value: str
    answer_to: str
    signature: str


@dataclass(frozen=True, slots=True)
class Button:
    """A button: what it says, and the page that it opens or what it does."""

    label: str
    act: Act
    value: str = ""
    url: str = ""
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What only the person who pressed is shown. `replaces`: it takes the place of the question that they answered."""

    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    replaces: bool = False


def question_of(gate: Gate) -> str:
    """What a button says that would approve this gate as it is now."""
    return f"{gate.id} {gate.digest}"


def read_question(value: str) -> tuple[str, str]:
    """The gate and the digest that a button is about; ChatCallError when it is about none."""
    gate, _, digest = value.partition(" ")
    if not gate or not digest:
        raise ChatCallError("This button is about no gate.", "Use one of a newer message.")
    return gate, digest


def takes_chat(gate: Gate, pipeline: Pipeline, environments: Mapping[str, Environment]) -> bool:
    """Whether an approval of this gate of `pipeline` could be given in a chat."""
    return why_not_in_chat(gate, pipeline, environments) is None


def why_not_in_chat(
    gate: Gate, pipeline: Pipeline, environments: Mapping[str, Environment], verdict: Verdict = Verdict.APPROVE
) -> str | None:
    """Why this verdict on this gate is not taken from a chat, in words; None when it is.

    Every environment that the approval opens the way to has to take it, also those that come after the first.
    """
    if verdict is not Verdict.APPROVE:
        return "only an approval can be given in a chat"
    if gate.subject.environment is None:
        return f"{gate.step} leads to no environment"
    step = pipeline.step(gate.step)
    for place in (gate.subject.environment, *_places_after(pipeline, gate.step)):
        environment = environments.get(place)
        if environment is None or not environment.chat_approval:
            return f"{place} takes no approvals from a chat"
        if (who := who_asks_for_passkey(step, environment)) is not None:
            return f"{who} counts an approval only when a passkey confirms it"
    return f"{gate.step} has a checklist" if gate.checklist else None


def _places_after(pipeline: Pipeline, name: str) -> Iterator[str]:
    """The environments that are deployed to after that step before anybody else is asked."""
    is_deployed = False
    for step in pipeline.steps[pipeline.position(name) + 1 :]:
        if isinstance(step, DeploymentStep):
            is_deployed = True
            yield step.environment
        elif isinstance(step, ApprovalStep) and is_deployed:
            return

"""`Client`: one method for each route of the REST API. The command line and `Run` are made of these."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from signoff.sdk.errors import ApiError
from signoff.sdk.machines import Machines
from signoff.sdk.notifications import Notifications
from signoff.sdk.people import People
from signoff.sdk.pipelines import Pipelines
from signoff.sdk.transport import Content, Transport
from signoff.wire.absence import DelegationBody, DelegationRequest
from signoff.wire.body import Body, Page, Place
from signoff.wire.catalogue import AuditBody, EnvironmentBody, InboxItem, MeBody, ModelBody, VersionBody
from signoff.wire.drift import AdoptRequest, DriftBody
from signoff.wire.emergencies import BreakGlassRequest, EmergencyViewBody
from signoff.wire.environments import AppliedBody, EnvironmentRequest, EnvironmentsRequest, EnvironmentVersionBody
from signoff.wire.gates import DecisionRequest, ExplanationBody, GateBody
from signoff.wire.replay import ReplayBody, ReplayRequest
from signoff.wire.revocations import RevokedBody, RevokeRequest
from signoff.wire.runs import (
    CommentBody,
    CommentRequest,
    DeploymentBody,
    ResubmitRequest,
    RollbackRequest,
    RunBody,
    RunSummary,
    SnapshotBody,
    SubmitRequest,
    ValidateRequest,
)

if TYPE_CHECKING:
    import httpx2

NOT_FOUND = 404


class Validation(Body):
    """What a server says about a pipeline file; `text` is the problems as people read them."""

    is_valid: bool
    problems: list[Place] = []  # noqa: RUF012
    text: str = ""


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of a step's log: the bytes, the size of the whole so far, and whether it is finished."""

    data: bytes
    size: int
    is_complete: bool


class Client:
    """A signoff server, spoken to as one person. Every method raises ApiError or ServerUnreachableError.

    Runs are named by id, by a unique prefix of one, or `last`. Usable as a context manager.
    """

    def __init__(
        self,
        server: str,
        token: str | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        more = {} if sleep is None else {"sleep": sleep}
        self._http = Transport(server, token, transport=transport, **more)

    @property
    def server(self) -> str:
        """The server's address."""
        return self._http.server

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def people(self) -> People:
        """Who there is and how they come in."""
        return People(self._http)

    @property
    def machines(self) -> Machines:
        """How programs come in, and which CI jobs are trusted."""
        return Machines(self._http)

    @property
    def notifications(self) -> Notifications:
        """Who is told through what, and how."""
        return Notifications(self._http)

    @property
    def pipelines(self) -> Pipelines:
        """Pipelines that new versions of a model start."""
        return Pipelines(self._http)

    # who, and what waits

    def me(self) -> MeBody:
        """Who the credential belongs to."""
        return self._http.ask("GET", "/me", MeBody)

    def inbox(self) -> Page[InboxItem]:
        """The gates that wait for the caller."""
        return self._http.ask("GET", "/inbox", Page[InboxItem])

    # runs

    def find_snapshot(self, digest: str) -> SnapshotBody | None:
        """The packed folder with this digest, if the server keeps it."""
        try:
            return self._http.ask("GET", f"/snapshots/{_name(digest)}", SnapshotBody)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def add_snapshot(self, content: Content, size: int) -> SnapshotBody:
        """Upload a tar.gz of `size` bytes; `content` gives them, from the beginning each time."""
        headers = {"Content-Type": "application/gzip", "Content-Length": str(size)}
        return self._http.ask("POST", "/snapshots", SnapshotBody, headers=headers, content=content)

    def submit(self, request: SubmitRequest, *, idempotency_key: str | None = None) -> RunBody:
        """Start a run. Repeated by itself when the connection breaks; one key never starts two."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._http.ask("POST", "/runs", RunBody, body=request, headers=headers)

    def resubmit(self, run: str, request: ResubmitRequest) -> RunBody:
        """The next attempt of a run that waits for one."""
        return self._http.ask("POST", f"/runs/{_name(run)}/submissions", RunBody, body=request)

    def list_runs(
        self,
        *,
        state: str | None = None,
        model: str | None = None,
        waiting_on: str | None = None,
        submitter: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[RunSummary]:
        """Runs, newest first; `waiting_on` is a person or `me`."""
        query = {
            "state": state,
            "model": model,
            "waiting_on": waiting_on,
            "submitter": submitter,
            "cursor": cursor,
            "limit": limit,
        }
        return self._http.ask("GET", "/runs", Page[RunSummary], query=query)

    def get_run(self, run: str) -> RunBody:
        """A run with everything about it."""
        return self._http.ask("GET", f"/runs/{_name(run)}", RunBody)

    def get_log(
        self, run: str, step: str, *, attempt: int | None = None, offset: int = 0, limit: int | None = None
    ) -> LogPart:
        """What a step's command printed, from byte `offset` on."""
        response = self._http.send(
            "GET",
            f"/runs/{_name(run)}/logs/{_name(step)}",
            query={"attempt": attempt, "offset": offset, "limit": limit},
            headers={"Accept": "text/plain, application/problem+json"},
        )
        data = response.content
        size = int(response.headers.get("X-Log-Size", offset + len(data)))
        return LogPart(data, size, response.headers.get("X-Log-Complete", "true") == "true")

    def events(self, run: str, *, after: int | None = None) -> Iterator[AuditBody]:
        """What happens to a run, as it happens; `after` is the index of the last event already seen."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self._http.listen(f"/runs/{_name(run)}/events", headers) as source:
            for event in source:
                if event.data:
                    yield AuditBody.model_validate_json(event.data)

    def cancel(self, run: str) -> RunBody:
        """End a run."""
        return self._http.ask("POST", f"/runs/{_name(run)}/cancel", RunBody)

    def retry(self, run: str) -> RunBody:
        """Do the step at which an errored run stopped again."""
        return self._http.ask("POST", f"/runs/{_name(run)}/retry", RunBody)

    def comment(self, run: str, body: str) -> CommentBody:
        """A remark about a run."""
        return self._http.ask("POST", f"/runs/{_name(run)}/comments", CommentBody, body=CommentRequest(body=body))

    # gates

    def get_gate(self, run: str, step: str) -> GateBody:
        """A gate with its rules and decisions."""
        return self._http.ask("GET", _gate(run, step), GateBody)

    def decide(self, run: str, step: str, request: DecisionRequest) -> GateBody:
        """Give a verdict on exactly what `request.digest` names."""
        return self._http.ask("POST", f"{_gate(run, step)}/decisions", GateBody, body=request)

    def withdraw(self, run: str, step: str) -> GateBody:
        """Take one's own decision back, while the gate is open."""
        return self._http.ask("DELETE", f"{_gate(run, step)}/decisions/mine", GateBody)

    def explain(self, run: str, step: str, *, person: str | None = None) -> ExplanationBody:
        """What a gate waits for, who can give it, and why `person` can or cannot."""
        query = {} if person is None else {"person": person}
        return self._http.ask("GET", f"{_gate(run, step)}/explanation", ExplanationBody, query=query)

    # absence

    def list_delegations(self) -> Page[DelegationBody]:
        """Who stands in for whom, now or later."""
        return self._http.ask("GET", "/delegations", Page[DelegationBody])

    def add_delegation(self, request: DelegationRequest) -> DelegationBody:
        """Let somebody decide for the caller while they are away."""
        return self._http.ask("POST", "/delegations", DelegationBody, body=request)

    def end_delegation(self, delegation: str) -> DelegationBody:
        """End a delegation now."""
        return self._http.ask("DELETE", f"/delegations/{_name(delegation)}", DelegationBody)

    # models and environments

    def list_models(self) -> Page[ModelBody]:
        """Every model that signoff knows."""
        return self._http.ask("GET", "/models", Page[ModelBody])

    def get_model(self, name: str) -> ModelBody:
        """A model with its versions."""
        return self._http.ask("GET", f"/models/{_name(name)}", ModelBody)

    def get_version(self, name: str, version: str) -> VersionBody:
        """One version of a model."""
        return self._http.ask("GET", f"/models/{_name(name)}/versions/{_name(version)}", VersionBody)

    def list_environments(self) -> Page[EnvironmentBody]:
        """Every environment with its protection rules."""
        return self._http.ask("GET", "/environments", Page[EnvironmentBody])

    def get_environment(self, name: str) -> EnvironmentBody:
        """One environment."""
        return self._http.ask("GET", f"/environments/{_name(name)}", EnvironmentBody)

    def apply_environments(self, request: EnvironmentsRequest) -> AppliedBody:
        """Make the environments of a whole file the ones there are."""
        return self._http.ask("PUT", "/environments", AppliedBody, body=request)

    def set_environment(self, name: str, request: EnvironmentRequest) -> AppliedBody:
        """Add an environment, or put another in its place."""
        return self._http.ask("PUT", f"/environments/{_name(name)}", AppliedBody, body=request)

    def environment_history(self, name: str) -> Page[EnvironmentVersionBody]:
        """Who changed what about an environment, newest first."""
        return self._http.ask("GET", f"/environments/{_name(name)}/history", Page[EnvironmentVersionBody])

    def list_deployments(
        self, *, environment: str | None = None, model: str | None = None, limit: int | None = None
    ) -> Page[DeploymentBody]:
        """What was put where, newest first."""
        query: Mapping[str, str | int | None] = {"environment": environment, "model": model, "limit": limit}
        return self._http.ask("GET", "/deployments", Page[DeploymentBody], query=query)

    def get_deployment(self, deployment: str) -> DeploymentBody:
        """One deployment."""
        return self._http.ask("GET", f"/deployments/{_name(deployment)}", DeploymentBody)

    def roll_back(self, environment: str, model: str, request: RollbackRequest) -> DeploymentBody:
        """Begin to make a version that was live before live again."""
        return self._http.ask("POST", _place(environment, model, "rollback"), DeploymentBody, body=request)

    def list_drifts(self, *, environment: str | None = None, model: str | None = None) -> Page[DriftBody]:
        """What is found now where something else was signed off, or nothing."""
        query = {"environment": environment, "model": model}
        return self._http.ask("GET", "/drifts", Page[DriftBody], query=query)

    def adopt(self, environment: str, model: str, request: AdoptRequest) -> DeploymentBody:
        """Take in what ran there before signoff came: recorded, not approved."""
        return self._http.ask("POST", _place(environment, model, "adopt"), DeploymentBody, body=request)

    # emergencies and revocations

    def break_glass(self, environment: str, model: str, request: BreakGlassRequest) -> EmergencyViewBody:
        """Ask for a version to be deployed without review, or confirm what somebody else has asked for."""
        return self._http.ask("POST", _place(environment, model, "break-glass"), EmergencyViewBody, body=request)

    def cancel_break_glass(self, environment: str, model: str) -> EmergencyViewBody:
        """Call off the request that waits for confirmations."""
        return self._http.ask("DELETE", _place(environment, model, "break-glass"), EmergencyViewBody)

    def list_emergencies(self) -> Page[EmergencyViewBody]:
        """What waits for confirmations, or was deployed without review and waits for that."""
        return self._http.ask("GET", "/emergencies", Page[EmergencyViewBody])

    def get_emergency(self, emergency: str) -> EmergencyViewBody:
        """One emergency."""
        return self._http.ask("GET", f"/emergencies/{_name(emergency)}", EmergencyViewBody)

    def revoke(self, model: str, version: str, request: RevokeRequest) -> RevokedBody:
        """Take back what was approved of a version."""
        path = f"/models/{_name(model)}/versions/{_name(version)}/revoke"
        return self._http.ask("POST", path, RevokedBody, body=request)

    def revoke_live(self, environment: str, model: str, request: RevokeRequest) -> RevokedBody:
        """Take back what was approved of the version that is live there."""
        return self._http.ask("POST", _place(environment, model, "revoke"), RevokedBody, body=request)

    # the rest

    def validate(self, request: ValidateRequest) -> Validation:
        """Check a pipeline file against the people and environments of the server."""
        return self._http.ask("POST", "/pipelines/validate", Validation, body=request)

    def replay_policy(self, request: ReplayRequest) -> ReplayBody:
        """What a draft pipeline would have made of past runs."""
        return self._http.ask("POST", "/policy/replay", ReplayBody, body=request)

    def list_audit(
        self,
        *,
        run: str | None = None,
        model: str | None = None,
        type: str | None = None,  # noqa: A002
        actor: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[AuditBody]:
        """Audit events."""
        query: Mapping[str, str | int | None] = {
            "run": run,
            "model": model,
            "type": type,
            "actor": actor,
            "cursor": cursor,
            "limit": limit,
        }
        return self._http.ask("GET", "/audit", Page[AuditBody], query=query)


def _name(text: str) -> str:
    """`text` as one segment of a path, whatever it holds; never one that changes the path."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted


def _place(environment: str, model: str, what: str) -> str:
    return f"/environments/{_name(environment)}/models/{_name(model)}/{what}"


def _gate(run: str, step: str) -> str:
    return f"/runs/{_name(run)}/gates/{_name(step)}"

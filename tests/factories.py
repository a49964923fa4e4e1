"""Values with sensible defaults for tests: the fixed cast, versions, pipelines, gates, decisions and runs.

alice submits, bob and carol approve, dave is an outsider, erin administers. Every function builds one value of the
domain; what a test is about it says itself, the rest comes from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from signoff.domain.actor import Actor, Credential, Directory, Person, Role, actor_of
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.evidence import CheckResult, CheckStatus, Evidence, Metric, Provenance, Severity
from signoff.domain.gate import Decision, Gate, GateStatus, Subject, Verdict
from signoff.domain.pipeline import (
    ApprovalStep,
    Command,
    DeploymentStep,
    OnReject,
    OnTestFail,
    Pipeline,
    RuleSpec,
    Step,
    TestStep,
    TrainingStep,
)
from signoff.domain.run import Attempt, Cause, Run, RunStatus, StepRun, StepStatus
from signoff.domain.version import ModelVersion, digest_bytes

MODEL = "fraud-detector"
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)

ALICE = Person("alice", frozenset({Role.SUBMITTER}))
BOB = Person("bob", frozenset({Role.APPROVER}), frozenset({"risk"}))
CAROL = Person("carol", frozenset({Role.APPROVER}), frozenset({"risk"}))
DAVE = Person("dave", frozenset({Role.VIEWER}))
ERIN = Person("erin", frozenset({Role.ADMIN}))
CAST = (ALICE, BOB, CAROL, DAVE, ERIN)


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def a_directory(*people: Person) -> Directory:
    """Everybody the server knows: the cast, with `people` beside or instead of those of the same name."""
    return Directory.of([*CAST, *people])


def approvers(names: Iterable[str], *groups: str) -> list[Person]:
    """People of these names who hold the approver role and belong to `groups`."""
    return [Person(name, frozenset({Role.APPROVER}), frozenset(groups)) for name in names]


def an_actor(person: Person, credential: Credential = Credential.SESSION) -> Actor:
    """`person`, signed in."""
    return actor_of(person, credential)


def a_version(number: int = 1, *, bytes_of: str | None = None, model: str = MODEL) -> ModelVersion:
    """Version `number` of the model; `bytes_of` stands for its files."""
    return ModelVersion(
        model=model,
        version=str(number),
        digest=digest_bytes((bytes_of or f"{model} v{number}").encode()),
        uri=f"models:/{model}/{number}",
    )


def a_rule(*names: str, required: int = 1, name: str = "", allow_policy: bool = True) -> RuleSpec:
    """`required` of these people or groups; bob when nobody is named."""
    named = names or ("bob",)
    return RuleSpec(name or "-".join(named).replace(":", "-"), named, required, allow_policy)


def a_training(name: str = "train", *, runs: bool = True) -> TrainingStep:
    """A training step; with `runs` it has a command."""
    return TrainingStep(name, Command(("python", "train.py")) if runs else None)


def a_test(name: str = "test", *, on_fail: OnTestFail = OnTestFail.FAIL_PIPELINE) -> TestStep:
    """A test step without a command."""
    return TestStep(name, on_fail=on_fail)


def an_approval(
    name: str = "approve",
    *rules: RuleSpec,
    on_reject: OnReject = OnReject.FAIL_PIPELINE,
    on_changes_requested: OnReject = OnReject.RETRAIN,
    allow_self_approval: bool = False,
) -> ApprovalStep:
    """An approval step; bob's word is enough when no rule is given."""
    return ApprovalStep(
        name,
        rules or (a_rule(),),
        allow_self_approval=allow_self_approval,
        on_reject=on_reject,
        on_changes_requested=on_changes_requested,
    )


def a_deployment_step(name: str = "deploy", environment: str = "production") -> DeploymentStep:
    """A deployment step."""
    return DeploymentStep(name, environment)


def a_pipeline(*steps: Step, max_attempts: int = 3) -> Pipeline:
    """These steps; an approval and a deployment when none are given."""
    return Pipeline(
        name="fraud-detection",
        digest=digest_bytes(b"the pipeline file"),
        steps=steps or (an_approval(), a_deployment_step()),
        model=MODEL,
        max_attempts=max_attempts,
    )


def a_run(
    pipeline: Pipeline | None = None,
    *,
    status: RunStatus = RunStatus.RUNNING,
    steps: dict[str, StepStatus] | None = None,
    attempt: int = 1,
    cause: Cause = Cause.SUBMITTED,
    version: ModelVersion | None = None,
    is_submitted: bool = True,
    gates: tuple[Gate, ...] = (),
) -> Run:
    """alice's run; `steps` are the statuses of those steps that are not pending.

    It is about version 1 when no `version` is given; with `is_submitted` false it has none yet.
    """
    pipeline = pipeline or a_pipeline()
    statuses = steps or {}
    states = tuple(StepRun(step.name, statuses.get(step.name, StepStatus.PENDING)) for step in pipeline.steps)
    present = (version or a_version()) if is_submitted else None
    return Run(
        id="run-1",
        model=MODEL,
        pipeline=pipeline,
        status=status,
        submitter="alice",
        attempt=Attempt(attempt, cause, states, present, ("alice",)),
        gates=gates,
        created_at=NOON,
    )


def a_subject(version: ModelVersion | None = None, *, attempt: int = 1, environment: str | None = None) -> Subject:
    """What a gate about `version` approves, with no evidence before it."""
    version = version or a_version()
    return Subject(
        model=version.model,
        version=version.version,
        manifest_digest=version.digest,
        evidence_digests=(),
        pipeline_digest=digest_bytes(b"the pipeline file"),
        environment=environment,
        attempt=attempt,
    )


def a_gate(
    *rules: RuleSpec,
    step: str = "approve",
    status: GateStatus = GateStatus.OPEN,
    subject: Subject | None = None,
    environment_rules: tuple[RuleSpec, ...] = (),
    excluded: tuple[str, ...] = ("alice",),
    round: int = 1,  # noqa: A002 - the field's own name
    closed_at: datetime | None = None,
    contributors: tuple[str, ...] = ("alice",),
) -> Gate:
    """A gate of `run-1`; bob's word is enough when no rule is given."""
    subject = subject or a_subject(environment="production")
    return Gate(
        id=f"gate-{step}-{subject.attempt}-{round}",
        run_id="run-1",
        step=step,
        attempt=subject.attempt,
        round=round,
        status=status,
        subject=subject,
        rules=rules or (a_rule(),),
        opened_at=NOON,
        environment_rules=environment_rules,
        excluded=excluded,
        closed_at=closed_at,
        contributors=contributors,
    )


def a_decision(
    gate: Gate,
    by: str = "bob",
    verdict: Verdict = Verdict.APPROVE,
    *,
    minute: float = 1,
    digest: str | None = None,
    is_withdrawn: bool = False,
) -> Decision:
    """What `by` says about `gate`, so many minutes after noon."""
    return Decision(
        id=f"{gate.id}-{by}-{minute}",
        by=by,
        verdict=verdict,
        digest=digest or gate.digest,
        at=at(minute),
        comment="" if verdict is Verdict.APPROVE else "recall is too low",
        is_withdrawn=is_withdrawn,
    )


def a_check(
    name: str = "accuracy > 0.9",
    status: CheckStatus = CheckStatus.PASSED,
    *,
    severity: Severity = Severity.FAIL,
    is_measured: bool = True,
) -> CheckResult:
    """One check's answer."""
    return CheckResult(name, name, status, severity, "accuracy is 0.95", is_measured=is_measured)


def an_evidence(*checks: CheckResult, provenance: Provenance = Provenance.MEASURED, step: str = "test") -> Evidence:
    """What a test step found out: an accuracy of 0.95, and `checks`."""
    metric = Metric("accuracy", 0.95, provenance, step=step)
    return Evidence(step=step, attempt=1, model_digest=a_version().digest, metrics=(metric,), checks=checks)


def a_deployment(
    version: ModelVersion | None = None,
    *,
    environment: str = "production",
    status: DeploymentStatus = DeploymentStatus.LIVE,
    kind: DeploymentKind = DeploymentKind.RUN,
    run_id: str = "run-0",
    live_at: datetime | None = NOON,
) -> Deployment:
    """A version put into an environment by another run."""
    version = version or a_version()
    return Deployment(
        id=f"deployment-{version.version}",
        environment=environment,
        model=version.model,
        version=version.version,
        digest=version.digest,
        status=status,
        kind=kind,
        run_id=run_id,
        by="system",
        started_at=NOON,
        live_at=live_at,
    )

"""The pipeline file as values: what drives a run. Read from YAML by `spec` only; pinned to every run by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from signoff.domain.evidence import Severity, Task

ParamValue = str | int | float | bool


class OnReject(StrEnum):
    """What a reject or a request for changes starts."""

    RETRAIN = "retrain"
    FAIL_PIPELINE = "fail_pipeline"


class OnTestFail(StrEnum):
    """What a failed check starts. `continue`: people see it and decide."""

    FAIL_PIPELINE = "fail_pipeline"
    RETRAIN = "retrain"
    CONTINUE = "continue"


class OnDeployFail(StrEnum):
    """What a deployment that does not get healthy leaves behind: the former version, or what there is."""

    ROLLBACK = "rollback"
    FAIL_PIPELINE = "fail_pipeline"


class OnUncertain(StrEnum):
    """What a check that the numbers cannot answer means. `people`: they decide; where none follow, it is a no."""

    PEOPLE = "people"
    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - a word of the pipeline file


class OnTimeout(StrEnum):
    """What happens to a gate that nobody answered in time: the run ends, or further people may approve."""

    EXPIRE = "expire"
    ESCALATE = "escalate"


class Concurrency(StrEnum):
    """What happens when two runs of one model head for one environment."""

    QUEUE = "queue"
    SUPERSEDE = "supersede"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Command:
    """A child process: its argv (no shell), the Python it finds first, and how long and how often it may run."""

    argv: tuple[str, ...]
    python: str | None = None
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    timeout: timedelta | None = None
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on the metrics. `that` is an expression of `domain.expression`.

    `confidence` is how sure its answer has to be. `for_each` names a slice column: then it holds for each value's rows.
    """

    name: str
    that: str
    severity: Severity = Severity.FAIL
    without_champion: Literal["pass", "fail"] = "pass"
    confidence: float = 0.95
    on_uncertain: OnUncertain = OnUncertain.PEOPLE
    for_each: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """Makes a model version. Without a command it is satisfied by the version that was submitted."""

    name: str
    command: Command | None = None
    type: Literal["training"] = "training"


@dataclass(frozen=True, slots=True)
class TestStep:
    """Measures a version and checks what was measured. Without a command it reads the metrics logged with it.

    The rest is about predictions that the command leaves. `compare`: the champion is run on the same rows. `slices` are
    columns or pairs of them, `sensitive` those whose groups are held against each other. `correct`: the answers of the
    checks are corrected for how many there are, and for how often these rows were looked at before.
    """

    __test__ = False  # pytest would take the name for a test class

    name: str
    command: Command | None = None
    checks: tuple[Check, ...] = ()
    on_fail: OnTestFail = OnTestFail.FAIL_PIPELINE
    task: Task | None = None
    compare: bool = False
    slices: tuple[tuple[str, ...], ...] = ()
    sensitive: tuple[str, ...] = ()
    correct: bool = False
    type: Literal["test"] = "test"


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """So many of these people. `approvers` are names or ``group:<name>``."""

    name: str
    approvers: tuple[str, ...]
    required_approvals: int = 1
    allow_policy: bool = True


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """A gate: waits until its rules hold, or somebody who may decide says no.

    `timeout`: how long it may wait. `valid_for`: how long its approval lasts. None is without end.
    `step_up`: an approval counts only when its person confirmed that very decision with a passkey.
    """

    name: str
    rules: tuple[RuleSpec, ...]
    auto_approve_if: str | None = None
    checklist: tuple[str, ...] = ()
    allow_self_approval: bool = False
    on_reject: OnReject = OnReject.FAIL_PIPELINE
    on_changes_requested: OnReject = OnReject.RETRAIN
    timeout: timedelta | None = None
    on_timeout: OnTimeout = OnTimeout.EXPIRE
    escalate_to: tuple[str, ...] = ()
    remind_every: timedelta | None = None
    valid_for: timedelta | None = None
    step_up: Literal["passkey"] | None = None
    type: Literal["approval"] = "approval"


@dataclass(frozen=True, slots=True)
class DeploymentStep:
    """Puts the approved bytes into an environment."""

    name: str
    environment: str
    on_fail: OnDeployFail = OnDeployFail.ROLLBACK
    type: Literal["deployment"] = "deployment"


Step = TrainingStep | TestStep | ApprovalStep | DeploymentStep


@dataclass(frozen=True, slots=True)
class NoBetter:
    """Stop training again when `metric` was not improved on in so many attempts in a row."""

    metric: str
    rounds: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a run by itself: a new version of the registered model `model_version`.

    `made_by` are the people or groups who may register versions of it: none of them approves one.
    """

    model_version: str
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps in order, and how often they may be tried. `digest` is of the file's own bytes.

    `notify` names the targets that hear of its runs. `on` is what starts them, where people do not.
    """

    name: str
    digest: str
    steps: tuple[Step, ...]
    model: str | None = None
    max_attempts: int = 3
    concurrency: Concurrency = Concurrency.QUEUE
    stop_when_no_better: NoBetter | None = None
    notify: tuple[str, ...] = ()
    on: Trigger | None = None

    @property
    def copies_from(self) -> str | None:
        """The registered model whose versions are copied into `model` to be reviewed; None where it is the same."""
        other = self.on.model_version if self.on is not None else None
        return other if self.model is not None and other != self.model else None

    def position(self, name: str) -> int:
        """The index of the step called `name`.

        Raises:
            KeyError: there is none.
        """
        for index, step in enumerate(self.steps):
            if step.name == name:
                return index
        raise KeyError(name)

    def step(self, name: str) -> Step:
        """The step called `name`; KeyError when there is none."""
        return self.steps[self.position(name)]

    def training_before(self, position: int) -> int | None:
        """The index of the nearest training step before `position`: where a retrain starts."""
        for index in range(position - 1, -1, -1):
            if isinstance(self.steps[index], TrainingStep):
                return index
        return None

    def deployment_after(self, position: int) -> DeploymentStep | None:
        """The next deployment step at or after `position`: what a gate there guards."""
        for step in self.steps[position:]:
            if isinstance(step, DeploymentStep):
                return step
        return None

    def is_last_gate_before_deployment(self, position: int) -> bool:
        """Whether no other gate stands between `position` and the deployment that it guards."""
        for step in self.steps[position + 1 :]:
            if isinstance(step, ApprovalStep):
                return False
            if isinstance(step, DeploymentStep):
                return True
        return False

    @property
    def trains(self) -> bool:
        """Whether a step of it runs a training command."""
        return any(isinstance(s, TrainingStep) and s.command is not None for s in self.steps)

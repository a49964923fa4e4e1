"""One run's rows in memory: carries out actions on values, the way the engine and the service do on the database.

Everything that decides is the domain's; what is written here is written only along the tables of transitions. For
tests that tell random stories.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from factories import CAST, a_version, approvers, at
from signoff.domain.actor import Directory
from signoff.domain.environment import Environment
from signoff.domain.gate import GATE_TRANSITIONS, POLICY_PREFIX, Decision, Gate, GateStatus, Verdict, evaluate
from signoff.domain.next_action import (
    AwaitSubmission,
    ConfirmGate,
    DoStep,
    EndGateStep,
    Finish,
    OpenGate,
    PassStep,
    StartAttempt,
    Wait,
    next_action,
)
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, Step, TestStep, TrainingStep
from signoff.domain.protection import present_subject, unapproved
from signoff.domain.run import RUN_TRANSITIONS, STEP_TRANSITIONS, Attempt, Cause, Run, RunStatus, StepRun, StepStatus
from signoff.domain.version import digest_bytes

PEOPLE = Directory.of([*CAST, *approvers(["frank"], "leads"), *approvers(["grace"], "risk", "leads")])


class Accident(StrEnum):
    """What befalls the next thing that a worker does."""

    NONE = "none"
    DEATH = "death"
    BREAK = "break"
    UNHEALTHY = "unhealthy"
    CHECK_FAILS = "check fails"


class BrokenError(Exception):
    """The machinery broke: the step ends errored."""


@dataclass
class Rows:
    """The rows of one run and the world around it, changed only as the engine and the service change them."""

    run: Run
    people: Directory = PEOPLE
    environments: dict[str, Environment] = field(default_factory=dict)
    stored: str = ""
    """The digest of the bytes that the registry holds now for the present version."""
    champion: int = 1
    """The version that tests compare with; `tested` is the one that each test saw."""
    tested: dict[str, int] = field(default_factory=dict)
    policy_agrees: bool = False
    accidents: list[Accident] = field(default_factory=list)
    decisions: dict[str, list[Decision]] = field(default_factory=dict)
    deployed: list[str] = field(default_factory=list)
    minute: int = 0

    def now(self) -> int:
        self.minute += 1
        return self.minute

    # What is written, and only along the tables.

    def set_run(self, status: RunStatus) -> None:
        former = self.run.status
        assert status is former or status in RUN_TRANSITIONS[former], f"run: {former} -> {status}"
        self.run = replace(self.run, status=status)

    def set_step(self, name: str, status: StepStatus, **more: Any) -> None:
        former = self.run.attempt.step(name).status
        assert status in STEP_TRANSITIONS[former], f"{name}: {former} -> {status}"
        steps = tuple(replace(s, status=status, **more) if s.name == name else s for s in self.run.attempt.steps)
        self.run = replace(self.run, attempt=replace(self.run.attempt, steps=steps))

    def set_gate(self, gate: Gate, status: GateStatus) -> None:
        assert status in GATE_TRANSITIONS[gate.status], f"{gate.step}: {gate.status} -> {status}"
        closed = replace(gate, status=status, closed_at=at(self.now()))
        self.run = replace(self.run, gates=tuple(closed if g.id == gate.id else g for g in self.run.gates))

    def add_attempt(self, cause: Cause, steps: tuple[StepRun, ...], *, number: int | None = None) -> None:
        """The next attempt; with `number` the submitter brings that version, otherwise it is yet to be trained."""
        version = a_version(number) if number is not None else None
        following = Attempt(self.run.attempt.number + 1, cause, steps, version, ("alice",))
        self.stored = version.digest if version is not None else ""
        self.run = replace(self.run, attempt=following, gates=())
        self.tested = {}
        self.set_run(RunStatus.RUNNING)

    # What the engine does.

    def advance(self, *, halts: bool = False) -> int:
        """Go on until the run waits, has ended, or the worker dies; returns how many actions that took.

        With `halts` the worker also stops when a deployment is next.
        """
        for count in range(1000):
            action = next_action(self.run)
            assert action == next_action(replace(self.run))
            is_deployment = isinstance(action, DoStep) and isinstance(action.step, DeploymentStep)
            if isinstance(action, Wait) or (halts and is_deployment) or not self.do(action):
                return count
        raise AssertionError(f"the run never stops: {self.run}")

    def do(self, action: object) -> bool:
        """Carry out one action; False when the run is then to be left alone."""
        accident = self.accidents.pop() if self.accidents and isinstance(action, DoStep | ConfirmGate) else None
        match action:
            case Finish(status):
                self.set_run(status)
                return False
            case AwaitSubmission():
                self.set_run(RunStatus.CHANGES_REQUESTED)
                return False
            case StartAttempt(position, cause):
                self.add_attempt(cause, new_steps(self.run.pipeline, start=position))
            case PassStep(step):
                self.set_step(step.name, StepStatus.SUCCEEDED)
            case EndGateStep(step):
                self.set_step(step.name, StepStatus.REJECTED)
            case OpenGate():
                self.guarded(action.step, lambda: self.open_gate(action.step))
            case ConfirmGate():
                self.guarded(action.step, lambda: self.confirm_gate(action, accident))
            case DoStep(step):
                return self.do_step(step, accident)
        return True

    def guarded(self, step: Step, act: Callable[[], None]) -> None:
        try:
            act()
        except BrokenError:
            if self.run.attempt.step(step.name).status is StepStatus.PENDING:
                self.set_step(step.name, StepStatus.RUNNING)
            self.set_step(step.name, StepStatus.ERRORED)

    def do_step(self, step: Step, accident: Accident | None) -> bool:
        if isinstance(step, DeploymentStep) and self.run.attempt.step(step.name).status is StepStatus.PENDING:
            self.guarded(step, lambda: self.begin_deployment(step))
        else:
            self.set_step(step.name, StepStatus.RUNNING)
            if accident is not Accident.DEATH:
                self.guarded(step, lambda: self.carry_out(step, accident))
        return accident is not Accident.DEATH

    def carry_out(self, step: Step, accident: Accident | None) -> None:
        version = self.run.attempt.version
        if accident is Accident.BREAK:
            raise BrokenError
        if isinstance(step, TrainingStep):
            made = a_version(self.now())
            self.stored = made.digest
            self.run = replace(self.run, attempt=replace(self.run.attempt, version=made))
            self.set_step(step.name, StepStatus.SUCCEEDED)
        elif isinstance(step, TestStep):
            if version is None or (step.command is not None and self.stored != version.digest):
                raise BrokenError
            status = StepStatus.FAILED if accident is Accident.CHECK_FAILS else StepStatus.SUCCEEDED
            # Evidence is about bytes and the champion: about the same ones it says the same, and has the same digest.
            self.tested[step.name] = self.champion
            evidence = digest_bytes(f"{step.name} {version.digest} {status} {self.champion}".encode())
            self.set_step(step.name, status, evidence_digest=evidence)
        elif isinstance(step, DeploymentStep):
            self.deploy(step, accident)

    def open_gate(self, step: ApprovalStep) -> None:
        version, position = self.run.attempt.version, self.run.pipeline.position(step.name)
        if version is None:
            raise BrokenError
        former = self.run.gate(step.name)
        guarded = self.run.pipeline.deployment_after(position)
        guards = guarded is not None and self.run.pipeline.is_last_gate_before_deployment(position)
        gate = Gate(
            id=f"gate-{self.now()}",
            run_id=self.run.id,
            step=step.name,
            attempt=self.run.attempt.number,
            round=former.round + 1 if former is not None else 1,
            status=GateStatus.OPEN,
            subject=present_subject(self.run, step.name, version.digest),
            rules=step.rules,
            opened_at=at(self.minute),
            environment_rules=self.environments[guarded.environment].rules if guarded is not None and guards else (),
            excluded=("alice",),
        )
        self.run = replace(self.run, gates=(*self.run.gates, gate))
        self.set_step(step.name, StepStatus.WAITING)
        if self.policy_agrees and step.auto_approve_if is not None:
            self.record(gate, POLICY_PREFIX + self.run.pipeline.digest, Verdict.APPROVE)
        if self.run.open_gate is not None:
            self.set_run(RunStatus.WAITING)

    def confirm_gate(self, action: ConfirmGate, accident: Accident | None) -> None:
        gate, position = action.gate, self.run.pipeline.position(action.step.name)
        if accident is Accident.BREAK:
            raise BrokenError
        if self.stored != gate.subject.manifest_digest:
            self.void_gate(gate, is_other=True)
        elif any(
            self.tested.get(step.name, self.champion) != self.champion for step in self.run.pipeline.steps[:position]
        ):
            self.void_gate(gate, retest=True)
        elif self.evaluate(gate) is not GateStatus.APPROVED:
            self.void_gate(gate)
        else:
            self.set_step(action.step.name, StepStatus.SUCCEEDED)

    def void_gate(self, gate: Gate, *, is_other: bool = False, retest: bool = False) -> None:
        """The approval no longer stands: everything is done anew about `is_other` bytes, or only the tests before."""
        version, position = self.run.attempt.version, self.run.pipeline.position(gate.step)
        if is_other and version is not None:
            stored = replace(version, digest=self.stored)
            self.run = replace(self.run, attempt=replace(self.run.attempt, version=stored))
        for index, step in enumerate(self.run.pipeline.steps):
            is_stale_test = isinstance(step, TestStep) and (is_other or (retest and index < position))
            is_stale_gate = isinstance(step, ApprovalStep) and (is_other or step.name == gate.step)
            state = self.run.attempt.step(step.name).status
            is_stale_place = isinstance(step, DeploymentStep) and is_other and state is StepStatus.SUCCEEDED
            if not (is_stale_test or is_stale_gate or is_stale_place):
                continue
            stale = self.run.gate(step.name)
            if stale is not None and stale.status in {GateStatus.APPROVED, GateStatus.OPEN}:
                self.set_gate(stale, GateStatus.VOID)
            self.tested.pop(step.name, None)
            if state not in {StepStatus.PENDING, StepStatus.SKIPPED}:
                self.set_step(step.name, StepStatus.PENDING, evidence_digest=None)

    def begin_deployment(self, step: DeploymentStep) -> None:
        old = self.unapproved(step)
        if old is None:
            self.set_step(step.name, StepStatus.RUNNING)
        elif old[0] is None:
            raise BrokenError
        else:
            self.void_gate(old[0])

    def unapproved(self, step: DeploymentStep, digest: str | None = None) -> tuple[Gate | None, str] | None:
        position, version = self.run.pipeline.position(step.name), self.run.attempt.version
        if version is None:
            raise BrokenError
        return unapproved(
            self.run,
            position,
            self.environments[step.environment],
            self.decisions,
            self.people,
            manifest_digest=digest or version.digest,
            now=at(self.minute),
        )

    def deploy(self, step: DeploymentStep, accident: Accident | None) -> None:
        position, version = self.run.pipeline.position(step.name), self.run.attempt.version
        stale = self.unapproved(step, self.stored)
        is_other = version is not None and self.stored != version.digest
        if stale is not None and stale[0] is not None:
            self.void_gate(stale[0], is_other=is_other)
            self.set_step(step.name, StepStatus.PENDING)
        elif stale is not None or is_other:
            raise BrokenError
        elif accident is Accident.UNHEALTHY:
            self.set_step(step.name, StepStatus.FAILED)
        else:
            check_approved(self, position)
            self.deployed.append(self.stored)
            self.set_step(step.name, StepStatus.SUCCEEDED)

    # What the service does.

    def evaluate(self, gate: Gate) -> GateStatus:
        position = self.run.pipeline.position(gate.step)
        earlier = [
            decision
            for other in self.run.gates
            if other.status is GateStatus.APPROVED
            and self.run.pipeline.position(other.step) < position
            and other.subject.manifest_digest == gate.subject.manifest_digest
            and other.subject.environment == gate.subject.environment
            for decision in self.decisions.get(other.id, [])
        ]
        return evaluate(gate, self.decisions.get(gate.id, []), self.people, earlier=earlier).status

    def record(self, gate: Gate, by: str, verdict: Verdict) -> None:
        decision = Decision(f"decision-{self.now()}", by, verdict, gate.digest, at(self.minute))
        self.decisions.setdefault(gate.id, []).append(decision)
        status = self.evaluate(gate)
        if status is not GateStatus.OPEN:
            self.set_gate(gate, status)
            self.set_run(RunStatus.RUNNING)


def new_steps(pipeline: Pipeline, *, start: int = 0, is_submitted: bool = False) -> tuple[StepRun, ...]:
    """The steps of a new attempt: those before `start` are kept, training is passed over for a submitted version."""
    passed = [
        index < start or (is_submitted and isinstance(step, TrainingStep) and step.command is not None)
        for index, step in enumerate(pipeline.steps)
    ]
    return tuple(
        StepRun(step.name, StepStatus.SKIPPED if is_passed else StepStatus.PENDING)
        for step, is_passed in zip(pipeline.steps, passed, strict=True)
    )


def check_approved(rows: Rows, position: int) -> None:
    """Every approval step before the deployment is approved, about these bytes and this evidence, by present people.

    The last one of them stands by the environment's rules of this moment. Written without the functions that the
    deployment itself asks.
    """
    run, steps = rows.run, rows.run.pipeline.steps
    target = steps[position]
    assert isinstance(target, DeploymentStep)
    rules = rows.environments[target.environment].rules
    closest = next(
        (index for index in range(position - 1, -1, -1) if isinstance(steps[index], ApprovalStep | DeploymentStep)),
        None,
    )
    is_guarded = closest is not None and isinstance(steps[closest], ApprovalStep)
    passed: dict[str | None, list[Decision]] = {}
    for index, step in enumerate(steps[:position]):
        if not isinstance(step, ApprovalStep):
            continue
        rounds = [gate for gate in run.gates if gate.step == step.name and gate.attempt == run.attempt.number]
        gate = max(rounds, key=lambda found: found.round)
        assert gate.status is GateStatus.APPROVED
        assert gate.subject.manifest_digest == rows.stored
        before = [run.attempt.step(earlier.name).evidence_digest for earlier in steps[:index]]
        assert gate.subject.evidence_digests == tuple(digest for digest in before if digest is not None)
        earlier = passed.setdefault(gate.subject.environment, [])
        mine = rows.decisions.get(gate.id, [])
        held = replace(gate, environment_rules=rules) if is_guarded and index == closest else gate
        assert evaluate(held, mine, rows.people, earlier=earlier).status is GateStatus.APPROVED
        assert not any(decision.by in {"alice", "dave", "erin"} for decision in mine)
        passed[gate.subject.environment] = [*earlier, *mine]
    carried = {rule for gate in run.gates if gate.status is GateStatus.APPROVED for rule in gate.environment_rules}
    assert is_guarded or set(rules) <= carried

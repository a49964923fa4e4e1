"""Random pipelines, people, checks and accidents against the rules: whatever happens, these laws hold.

`SIGNOFF_TEST_ROUNDS` multiplies how many stories are told.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from factories import a_deployment_step, a_pipeline, a_rule, a_run, a_test, a_training, a_version, an_approval
from rows import PEOPLE, Accident, Rows, new_steps
from signoff.domain.actor import Directory
from signoff.domain.environment import Environment
from signoff.domain.gate import GateStatus, Verdict, deciders
from signoff.domain.next_action import DoStep, Wait, next_action
from signoff.domain.pipeline import (
    ApprovalStep,
    DeploymentStep,
    OnReject,
    OnTestFail,
    Pipeline,
    RuleSpec,
    Step,
    TestStep,
    TrainingStep,
)
from signoff.domain.run import ENDED, FINAL, RUN_TRANSITIONS, STEP_TRANSITIONS, Cause, RunStatus, StepStatus
from signoff.domain.version import digest_bytes

ROUNDS: Final = int(os.environ.get("SIGNOFF_TEST_ROUNDS", "1"))
DECIDERS = ("bob", "carol", "frank", "grace")
RISK = a_rule("group:risk", name="environment: risk", allow_policy=False)

references = st.sampled_from([*DECIDERS, "group:risk", "group:leads"])
accidents = st.lists(st.sampled_from([Accident.NONE] * 3 + [*Accident, Accident.CHECK_FAILS]), max_size=6)
STAGES = (["test", "approve", "approve", "deploy"], ["approve", "deploy", "approve", "deploy"])
"""Shapes in which one approval depends on what became of another."""

groups_of = st.frozensets(st.sampled_from(["risk", "leads"]))
rule_lists = st.lists(st.lists(references, min_size=1, max_size=3, unique=True), min_size=1, max_size=2)


@st.composite
def approvals(draw: st.DrawFn, name: str) -> ApprovalStep:
    """An approval step that asks for one or two sets of people, and may let the policy approve."""
    rules = [a_rule(*names, name=f"{name} {place}") for place, names in enumerate(draw(rule_lists))]
    policies = st.sampled_from(OnReject)
    step = an_approval(name, *rules, on_reject=draw(policies), on_changes_requested=draw(policies))
    return replace(step, auto_approve_if="accuracy > 0.9" if draw(st.booleans()) else None)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A pipeline that `spec` would take: no training after an approval or deployment."""
    makes = st.lists(st.sampled_from(["train", "pass", "test"]), max_size=2)
    asks = st.lists(st.sampled_from(["approve", "approve", "deploy", "test"]), min_size=1, max_size=4)
    ends = st.sampled_from([[], ["deploy"]])
    kinds = st.sampled_from(STAGES) | st.tuples(makes, asks, ends).map(lambda found: [*found[0], *found[1], *found[2]])
    steps = [step_of(draw, kind, number) for number, kind in enumerate(draw(kinds))]
    return a_pipeline(*steps, max_attempts=draw(st.sampled_from([3, 2, 1])))


def step_of(draw: st.DrawFn, kind: str, number: int) -> Step:
    name = f"{kind}-{number}"
    match kind:
        case "train" | "pass":
            return a_training(name, runs=kind == "train")
        case "test":
            step = a_test(name, on_fail=draw(st.sampled_from(OnTestFail)))
            return replace(step, command=a_training().command if draw(st.booleans()) else None)
        case "approve":
            return draw(approvals(name))
        case _:
            return a_deployment_step(name, draw(st.sampled_from(["staging", "production"])))


class Story(RuleBasedStateMachine):
    """One run from its submission on, and everything that people and accidents do to it."""

    rows: Rows
    attempts = 0

    @initialize(data=st.data())
    def alice_submits(self, data: st.DataObject) -> None:
        pipeline = data.draw(pipelines())
        first = next((step for step in pipeline.steps if isinstance(step, TrainingStep)), None)
        is_submitted = first is None or first.command is None or data.draw(st.booleans())
        run = a_run(pipeline, is_submitted=is_submitted, cause=Cause.SUBMITTED if is_submitted else Cause.TRAINED)
        run = replace(run, attempt=replace(run.attempt, steps=new_steps(pipeline, is_submitted=is_submitted)))
        rules = (RISK,) if data.draw(st.booleans()) else ()
        self.rows = Rows(run, stored=a_version().digest if is_submitted else "", policy_agrees=data.draw(st.booleans()))
        production = Environment("production", rules=rules)
        self.rows.environments = {"staging": Environment("staging"), "production": production}
        self.attempts = 1
        self.a_worker_goes_on(data.draw(accidents))

    @precondition(lambda self: self.rows.run.status in FINAL)
    @rule(data=st.data())
    def alice_submits_another(self, data: st.DataObject) -> None:
        self.alice_submits(data)

    @precondition(lambda self: self.rows.run.status is RunStatus.RUNNING)
    @rule(befalls=accidents)
    def a_worker_takes_over(self, befalls: list[Accident]) -> None:
        self.a_worker_goes_on(befalls)

    def a_worker_goes_on(self, befalls: list[Accident]) -> None:
        self.rows.accidents = [*befalls]
        # Each action of an attempt happens once, again after an accident, or again after a gate was void.
        steps = len(self.rows.run.pipeline.steps)
        bound = 3 * (steps + 2) * (self.rows.run.pipeline.max_attempts + 1) * (len(befalls) + 2)
        assert self.rows.advance() <= bound
        self.rows.accidents = []

    def decide(self, by: str, verdict: Verdict) -> None:
        """As the service does: while the gate is open, of those who may, and once each."""
        gate = self.rows.run.open_gate
        if gate is None or by not in deciders(gate, self.rows.people):
            return
        if by not in {d.by for d in self.rows.decisions.get(gate.id, []) if not d.is_withdrawn}:
            self.rows.record(gate, by, verdict)

    @precondition(lambda self: self.rows.run.open_gate is not None)
    @rule(by=st.sampled_from([*DECIDERS, "alice", "dave", "erin"]), befalls=accidents)
    def somebody_approves(self, by: str, befalls: list[Accident]) -> None:
        self.decide(by, Verdict.APPROVE)
        self.a_worker_goes_on(befalls)

    @precondition(lambda self: self.rows.run.open_gate is not None)
    @rule(data=st.data(), verdict=st.sampled_from([Verdict.REQUEST_CHANGES, Verdict.REJECT]), befalls=accidents)
    def somebody_says_no(self, data: st.DataObject, verdict: Verdict, befalls: list[Accident]) -> None:
        gate = self.rows.run.open_gate
        assert gate is not None
        self.decide(data.draw(st.sampled_from([*sorted(deciders(gate, self.rows.people)), "alice"])), verdict)
        self.a_worker_goes_on(befalls)

    @precondition(lambda self: self.rows.run.open_gate is not None)
    @rule(befalls=accidents)
    def everybody_approves(self, befalls: list[Accident]) -> None:
        for by in DECIDERS:
            self.decide(by, Verdict.APPROVE)
        self.a_worker_goes_on(befalls)

    @precondition(lambda self: self.rows.run.open_gate is not None)
    @rule(looks=st.booleans(), begins=st.booleans())
    def everybody_approves_and_nobody_deploys_yet(self, looks: bool, begins: bool) -> None:
        while self.rows.run.open_gate is not None:
            gate = self.rows.run.open_gate
            for by in DECIDERS:
                self.decide(by, Verdict.APPROVE)
            if gate == self.rows.run.open_gate or not looks:
                return
            self.rows.advance(halts=True)
        action = next_action(self.rows.run)
        if begins and isinstance(action, DoStep):
            self.rows.do(action)

    @precondition(lambda self: self.rows.run.open_gate is not None)
    @rule(by=st.sampled_from(DECIDERS))
    def somebody_takes_their_decision_back(self, by: str) -> None:
        gate = self.rows.run.open_gate
        assert gate is not None
        given = self.rows.decisions.get(gate.id, [])
        self.rows.decisions[gate.id] = [replace(d, is_withdrawn=d.is_withdrawn or d.by == by) for d in given]

    @precondition(lambda self: self.rows.run.status not in FINAL)
    @rule(name=st.sampled_from(DECIDERS), groups=groups_of, is_active=st.booleans())
    def an_administrator_changes_somebody(self, name: str, groups: frozenset[str], is_active: bool) -> None:
        people = self.rows.people.people
        changed = replace(people[name], groups=groups, is_active=is_active)
        self.rows.people = Directory.of([*people.values(), changed], ["risk", "leads"])

    @precondition(lambda self: self.rows.run.status not in FINAL)
    @rule(rules=st.sampled_from([None, (), (RISK,), (replace(RISK, required_approvals=2),)]))
    def an_administrator_brings_everybody_back_and_changes_production(self, rules: tuple[RuleSpec, ...] | None) -> None:
        self.rows.people = PEOPLE
        if rules is not None:
            self.rows.environments["production"] = Environment("production", rules=rules)

    @precondition(lambda self: self.rows.stored and self.rows.run.status not in FINAL)
    @rule(other=st.sampled_from(["tampered", "tampered again", None]))
    def somebody_changes_the_bytes_or_puts_them_back(self, other: str | None) -> None:
        version = self.rows.run.attempt.version
        assert version is not None
        self.rows.stored = version.digest if other is None else digest_bytes(other.encode())

    @precondition(lambda self: self.rows.run.status not in FINAL)
    @rule(agrees=st.booleans())
    def another_version_becomes_the_champion_and_the_policy_thinks_again(self, agrees: bool) -> None:
        self.rows.champion += 1
        self.rows.policy_agrees = agrees

    @precondition(lambda self: self.rows.run.status is RunStatus.CHANGES_REQUESTED)
    @rule(befalls=accidents)
    def alice_resubmits(self, befalls: list[Accident]) -> None:
        steps = new_steps(self.rows.run.pipeline, is_submitted=True)
        self.rows.add_attempt(Cause.SUBMITTED, steps, number=1000 + self.rows.now())
        self.a_worker_goes_on(befalls)

    @precondition(lambda self: self.rows.run.status is RunStatus.ERRORED)
    @rule(befalls=accidents)
    def alice_retries(self, befalls: list[Accident]) -> None:
        for state in self.rows.run.attempt.steps:
            if state.status is StepStatus.ERRORED:
                self.rows.set_step(state.name, StepStatus.PENDING)
        self.rows.set_run(RunStatus.RUNNING)
        self.a_worker_goes_on(befalls)

    @precondition(lambda self: RunStatus.CANCELLED in RUN_TRANSITIONS[self.rows.run.status] and self.rows.minute > 30)
    @rule()
    def alice_cancels(self) -> None:
        steps = self.rows.run.pipeline.steps
        states = {state.name: state.status for state in self.rows.run.attempt.steps}
        if any(isinstance(step, DeploymentStep) and states[step.name] is StepStatus.RUNNING for step in steps):
            return
        if self.rows.run.open_gate is not None:
            self.rows.set_gate(self.rows.run.open_gate, GateStatus.CANCELLED)
        for name, status in states.items():
            if StepStatus.CANCELLED in STEP_TRANSITIONS[status]:
                self.rows.set_step(name, StepStatus.CANCELLED)
        self.rows.set_run(RunStatus.CANCELLED)

    @invariant()
    def a_run_with_nothing_to_do_says_what_it_waits_for_or_has_ended(self) -> None:
        run = self.rows.run
        action = next_action(run)
        if run.status in ENDED or run.status is RunStatus.CHANGES_REQUESTED:
            assert isinstance(action, Wait)
        if run.status is RunStatus.WAITING:
            gate = run.open_gate
            assert gate is not None
            assert action == Wait(f"approval at {gate.step}")
        if isinstance(action, Wait):
            assert action.on
            assert run.status is not RunStatus.RUNNING, f"a running run waits: {action.on}"

    @invariant()
    def attempts_are_counted_and_never_exceed_the_most_allowed(self) -> None:
        run = self.rows.run
        assert self.attempts <= run.attempt.number <= run.pipeline.max_attempts
        self.attempts = run.attempt.number

    @invariant()
    def at_most_one_gate_waits_and_only_while_the_run_does(self) -> None:
        run = self.rows.run
        waiting = [gate for gate in run.gates if gate.status is GateStatus.OPEN]
        assert len(waiting) == (1 if run.status is RunStatus.WAITING else 0)

    @invariant()
    def a_run_that_succeeded_did_every_step(self) -> None:
        run = self.rows.run
        if run.status is RunStatus.SUCCEEDED:
            states = {state.name: state.status for state in run.attempt.steps}
            for step in run.pipeline.steps:
                may_fail = isinstance(step, TestStep) and step.on_fail is OnTestFail.CONTINUE
                done = {StepStatus.SUCCEEDED, StepStatus.SKIPPED} | ({StepStatus.FAILED} if may_fail else set())
                assert states[step.name] in done


StoryTest = Story.TestCase
StoryTest.settings = settings(
    max_examples=60 * ROUNDS,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)

"""A town that reviews models: people come and go, stand in for each other, decide at once, and time goes by.

A Hypothesis state machine over the service on a real database. After every step the rules are checked as
`town_rules` says them: no deployment without its rules satisfied at that moment, no gate that could close and stays
open, nobody counted twice. `integration/test_town.py` takes some hundred steps, `benchmarks/random_town.py` 100,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from factories import MODEL
from house import PRODUCTION, STAGING, House
from signoff.domain.actor import SYSTEM, Actor, Credential, Directory, Person, Role, actor_of
from signoff.domain.environment import BreakGlass, Deployment, DeploymentKind, Environment, Freeze
from signoff.domain.errors import SignoffError
from signoff.domain.gate import Decision, Gate, GateStatus, Reason, ReasonKind, Verdict
from signoff.domain.pipeline import ApprovalStep, RuleSpec
from signoff.domain.run import Run, RunStatus
from signoff.service import absence, decisions, emergencies, revocations, rollbacks, submission
from signoff.service.administration import apply_people
from signoff.service.environments import apply_environments
from signoff.service.views import get_gate
from signoff.store import deployments, gates, runs
from signoff.store.revocations import find_newest
from town_rules import about, could_close, is_named, rules_now, says_no

APPROVERS = ("bob", "carol", "dan", "fay")
GROUPS = ("risk", "leads")
MOST_RUNS = 4

_STEPS = """\
steps:
  - {name: train, type: training}
"""
_DEPLOY = "  - {name: deploy, type: deployment, inputs: {environment: production}}\n"
PIPELINES = [
    _STEPS + "  - {name: one, type: approval, inputs: {approvers: ['group:risk'], required_approvals: 2}}\n" + _DEPLOY,
    _STEPS
    + "  - name: one\n    type: approval\n    inputs:\n      rules:\n"
    + "        - {name: risk, approvers: ['group:risk']}\n        - {name: lead, approvers: ['group:leads', 'bob']}\n"
    + _DEPLOY,
    _STEPS
    + "  - {name: one, type: approval, inputs: {approvers: ['bob', 'carol']}}\n"
    + "  - {name: two, type: approval, inputs: {approvers: ['group:leads'], auto_approve_if: accuracy > 0.9}}\n"
    + _DEPLOY,
    _STEPS
    + "  - name: one\n    type: approval\n    inputs:\n      approvers: ['group:leads']\n      timeout: 2d\n"
    + "      on_timeout: escalate\n      escalate_to: ['group:risk']\n      remind_every: 12h\n      valid_for: 5d\n"
    + _DEPLOY,
    _STEPS
    + "  - {name: one, type: approval, inputs: {approvers: ['group:risk'], timeout: 3d, allow_self_approval: true}}\n"
    + "  - {name: stage, type: deployment, inputs: {environment: staging}}\n"
    + "  - {name: two, type: approval, inputs: {approvers: ['group:risk', 'group:leads']}}\n"
    + _DEPLOY,
]
RULES = [
    (),
    (RuleSpec("risk", ("group:risk",), 1, allow_policy=False),),
    (RuleSpec("risk", ("group:risk",), 2, allow_policy=False),),
    (RuleSpec("leads", ("group:leads",), 1, allow_policy=True), RuleSpec("bob", ("bob", "group:risk"), 1)),
]

people = st.sampled_from(APPROVERS)
voices = st.sampled_from([*APPROVERS, "alice", "gus"])
verdicts = st.sampled_from([Verdict.APPROVE] * 8 + [Verdict.REQUEST_CHANGES, Verdict.REJECT])


class Town(RuleBasedStateMachine):
    """`make_house` gives a fresh house; `steps` counts what was done in all."""

    make_house: ClassVar[Callable[[], AbstractContextManager[House]]]
    steps: ClassVar[int] = 0
    deployed: ClassVar[int] = 0
    refused: ClassVar[int] = 0
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._scope = type(self).make_house()
        self.house = self._scope.__enter__()
        self.folk: dict[str, Person] = {}
        self.home: dict[str, Person] = {}
        self.turn = 0
        self.seen: set[str] = set()
        self.versions: list[str] = []

    def teardown(self) -> None:
        self._scope.__exit__(None, None, None)

    # Setting the scene

    @initialize()
    def everybody_moves_in(self) -> None:
        approver = frozenset({Role.APPROVER})
        self.folk = {
            "alice": Person("alice", frozenset({Role.SUBMITTER})),
            "gus": Person("gus", frozenset({Role.SUBMITTER, Role.APPROVER}), frozenset({"risk"})),
            "bob": Person("bob", approver, frozenset({"risk"})),
            "carol": Person("carol", approver, frozenset({"risk", "leads"})),
            "dan": Person("dan", approver, frozenset({"leads"})),
            "fay": Person("fay", approver, frozenset({"risk", "leads"})),
            "erin": Person("erin", frozenset({Role.ADMIN})),
        }
        self.home = dict(self.folk)
        self.production = replace(
            PRODUCTION, break_glass=BreakGlass(("group:leads",), 2, on_expiry="return_to_former"), rules=RULES[1]
        )
        apply_people(self.house.desk, SYSTEM, self._directory(self.folk), {})
        self._apply_environments(self.production)

    def _directory(self, folk: dict[str, Person]) -> Directory:
        return Directory.of(folk.values(), GROUPS)

    def _apply_environments(self, production: Environment) -> None:
        named = {"staging": STAGING, "production": production}
        apply_environments(self.house.desk, SYSTEM, named, force=False)
        self.production = production

    def actor(self, name: str) -> Actor:
        return actor_of(self.folk[name], Credential.SESSION)

    def do(self, act: Callable[[], object]) -> bool:
        """Whether `act` was done; an expected refusal is as good, anything else is a bug."""
        type(self).steps += 1
        self.turn += 1
        try:
            act()
        except SignoffError as refusal:
            type(self).refused += 1
            self.done[f"refused {refusal.code}"] += 1
            return False
        finally:
            self.house.work()
        return True

    def waiting(self) -> list[tuple[Run, Gate]]:
        with self.house.database.begin() as tx:
            found = runs.list_runs(tx, statuses=["waiting"], limit=100)
        return [(run, run.open_gate) for run in found if run.open_gate is not None]

    # What happens

    @precondition(lambda self: len(self.waiting()) < MOST_RUNS)
    @rule(text=st.sampled_from(PIPELINES), by=st.sampled_from(["alice", "gus"]), accuracy=st.sampled_from([0.8, 0.95]))
    def somebody_submits(self, text: str, by: str, accuracy: float) -> None:
        reference = self.house.version(accuracy=accuracy)
        self.versions.append(reference.rpartition("/")[2])
        wanted = submission.Submission(f"model: {MODEL}\n{text}", submission.Offer(reference))
        self.do(lambda: submission.submit_run(self.house.desk, self.actor(by), wanted))

    def _decide(self, run: Run, gate: Gate, by: str, verdict: Verdict, absent: str | None = None) -> None:
        reasons = () if verdict is Verdict.APPROVE else (Reason(ReasonKind.METRIC, "recall"),)
        said = decisions.Verdicts(verdict, gate.digest, "because", reasons, (), absent)
        decisions.decide_gate(self.house.desk, self.actor(by), run.id, gate.step, said)

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data(), by=voices, verdict=verdicts, absent=st.none() | people)
    def anybody_decides(self, data: st.DataObject, by: str, verdict: Verdict, absent: str | None) -> None:
        run, gate = data.draw(st.sampled_from(self.waiting()))
        self.do(lambda: self._decide(run, gate, by, verdict, absent))

    def _wanted(self, run: Run, gate: Gate) -> list[str]:
        """Whom the gate names and who has not decided about it; everybody, where there is nobody."""
        said = {d.by for d in self._decided(run)[gate.id] if not d.is_withdrawn}
        rules = [*rules_now(gate), *gate.environment_rules]
        named = [n for n in self.folk if any(is_named(self.folk, n, r.approvers) for r in rules) and n not in said]
        return [n for n in named if n not in gate.excluded] or named or list(APPROVERS)

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data(), verdict=verdicts)
    def somebody_who_is_asked_decides(self, data: st.DataObject, verdict: Verdict) -> None:
        run, gate = data.draw(st.sampled_from(self.waiting()))
        by = data.draw(st.sampled_from(self._wanted(run, gate)))
        self.do(lambda: self._decide(run, gate, by, verdict))

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data())
    def somebody_approves_and_is_gone_before_the_workers_look(self, data: st.DataObject) -> None:
        run, gate = data.draw(st.sampled_from(self.waiting()))
        by = data.draw(st.sampled_from(self._wanted(run, gate)))
        folk = {**self.folk, by: replace(self.folk[by], groups=frozenset(), is_active=data.draw(st.booleans()))}

        def approve_and_go() -> None:
            self._decide(run, gate, by, Verdict.APPROVE)
            apply_people(self.house.desk, SYSTEM, self._directory(folk), {})
            self.folk = folk

        self.do(approve_and_go)
        self.house.tick()

    @precondition(lambda self: self.folk != self.home)
    @rule()
    def everybody_is_back(self) -> None:
        self._move(self.home)

    def _half_decided(self) -> list[str]:
        """Whose approval stands at a gate that waits."""
        decided = [d for run, gate in self.waiting() for d in self._decided(run)[gate.id] if not d.is_withdrawn]
        return sorted({d.on_behalf_of or d.by for d in decided if not d.is_policy})

    @precondition(lambda self: bool(self._half_decided()))
    @rule(data=st.data())
    def somebody_who_approved_leaves(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(self._half_decided()))
        self._move({**self.folk, who: replace(self.folk[who], groups=frozenset())})

    @precondition(lambda self: bool(self._half_decided()))
    @rule(data=st.data())
    def somebody_who_approved_is_out_while_others_approve(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(self._half_decided()))
        run, gate = data.draw(st.sampled_from(self.waiting()))
        self._move({**self.folk, who: replace(self.folk[who], groups=frozenset())})
        for by in self._wanted(run, gate)[: data.draw(st.integers(1, 2))]:
            self.do(lambda by=by: self._decide(run, gate, by, Verdict.APPROVE))  # type: ignore[misc]
        self.nothing_was_deployed_without_its_rules()
        self._move(self.home)

    def _move(self, folk: dict[str, Person]) -> None:
        if self.do(lambda: apply_people(self.house.desk, SYSTEM, self._directory(folk), {})):
            self.folk = folk
        self.house.tick()

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data(), who=st.lists(voices, min_size=2, max_size=4, unique=True), verdict=verdicts)
    def several_decide_at_once(self, data: st.DataObject, who: Sequence[str], verdict: Verdict) -> None:
        run, gate = data.draw(st.sampled_from(self.waiting()))

        def say(name: str) -> None:
            try:
                self._decide(run, gate, name, verdict if name == who[0] else Verdict.APPROVE)
            except SignoffError:
                return

        def all_at_once() -> None:
            with ThreadPoolExecutor(len(who)) as pool:
                list(pool.map(say, who))

        self.do(all_at_once)
        type(self).steps += len(who) - 1

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data(), by=people)
    def somebody_withdraws(self, data: st.DataObject, by: str) -> None:
        run, gate = data.draw(st.sampled_from(self.waiting()))
        self.do(lambda: decisions.withdraw_decision(self.house.desk, self.actor(by), run.id, gate.step))

    @rule(
        who=st.sampled_from([*APPROVERS, "gus"]),
        groups=st.frozensets(st.sampled_from(GROUPS)),
        is_active=st.sampled_from([True, True, True, False]),
        is_approver=st.sampled_from([True, True, True, False]),
    )
    def somebody_joins_or_leaves(self, who: str, groups: frozenset[str], is_active: bool, is_approver: bool) -> None:
        former = self.folk[who]
        roles = former.roles | {Role.APPROVER} if is_approver else former.roles - {Role.APPROVER}
        folk = {**self.folk, who: replace(former, groups=groups, is_active=is_active, roles=roles)}
        self._move(folk)

    @rule(who=people, to=people, begins=st.integers(-1, 3), days=st.integers(1, 6))
    def somebody_goes_away(self, who: str, to: str, begins: int, days: int) -> None:
        since = self.house.clock() + timedelta(days=begins)
        until = since + timedelta(days=days)
        self.do(lambda: absence.add_delegation(self.house.desk, self.actor(who), to, since=since, until=until))

    @precondition(lambda self: self.turn % 4 == 0 and bool(absence.list_delegations(self.house.desk, SYSTEM)))
    @rule()
    def somebody_comes_back(self) -> None:
        found = absence.list_delegations(self.house.desk, SYSTEM)[0]
        self.do(lambda: absence.end_delegation(self.house.desk, self.actor(found.person), found.id))

    @rule(hours=st.sampled_from([1, 13, 30, 60, 150]))
    def time_goes_by(self, hours: int) -> None:
        self.house.clock.wait(hours=hours)
        type(self).steps += 1
        self.house.tick()

    @rule(hours=st.sampled_from([-30, -2, 40]))
    def a_clock_jumps_and_is_put_right(self, hours: int) -> None:
        self.house.clock.wait(hours=hours)
        self.house.clock.wait(hours=-hours)
        type(self).steps += 1
        self.house.tick()

    @rule(rules=st.sampled_from(RULES), frozen=st.sampled_from([False, False, True]))
    def the_administrator_changes_production(self, rules: tuple[RuleSpec, ...], frozen: bool) -> None:
        now = self.house.clock()
        window = (Freeze(now, now + timedelta(days=2), "stocktaking"),) if frozen else ()
        changed = replace(self.production, rules=rules, freeze=window)
        self.do(lambda: self._apply_environments(changed))
        self.house.tick()

    @precondition(lambda self: bool(self.seen) and self.turn % 3 == 0)
    @rule(data=st.data(), by=people, roll_back=st.booleans())
    def an_approval_is_revoked(self, data: st.DataObject, by: str, roll_back: bool) -> None:
        version = data.draw(st.sampled_from(self.versions))
        desk = self.house.desk
        self.do(lambda: revocations.revoke_version(desk, self.actor(by), MODEL, version, why="x", roll_back=roll_back))

    @precondition(lambda self: bool(self.seen) and self.turn % 3 == 1)
    @rule(data=st.data(), by=people)
    def somebody_rolls_back(self, data: st.DataObject, by: str) -> None:
        to = data.draw(st.none() | st.sampled_from(self.versions))
        self.do(lambda: rollbacks.roll_back(self.house.desk, self.actor(by), "production", MODEL, to=to, why="x"))

    @precondition(lambda self: bool(self.versions) and self.turn % 5 == 0)
    @rule(data=st.data(), by=people, again=people)
    def the_glass_is_broken(self, data: st.DataObject, by: str, again: str) -> None:
        reference = f"models:/{MODEL}/{data.draw(st.sampled_from(self.versions))}"
        desk = self.house.desk
        for name in (by, again):
            self.do(
                lambda name=name: emergencies.break_glass(  # type: ignore[misc]
                    desk, self.actor(name), "production", MODEL, reference=reference, why="it burns"
                )
            )

    def _sent_back(self) -> list[Run]:
        with self.house.database.begin() as tx:
            return runs.list_runs(tx, statuses=[RunStatus.CHANGES_REQUESTED.value], limit=20)

    @precondition(lambda self: bool(self._sent_back()))
    @rule()
    def the_next_version_is_submitted(self) -> None:
        run = self._sent_back()[0]
        reference = self.house.version(accuracy=0.95)
        self.versions.append(reference.rpartition("/")[2])
        offer, by = submission.Offer(reference), self.actor(run.submitter)
        self.do(lambda: submission.resubmit_run(self.house.desk, by, run.id, offer, answers={"1": "done"}))

    # What must hold, whatever happened

    def _decided(self, run: Run) -> dict[str, list[Decision]]:
        with self.house.database.begin() as tx:
            return gates.list_decisions(tx, [gate.id for gate in run.gates])

    def _earlier(self, run: Run, gate: Gate, decided: dict[str, list[Decision]]) -> list[Decision]:
        """Approvals of gates before `gate` in this attempt, about the same bytes for the same environment."""
        names = [step.name for step in run.pipeline.steps]
        return [
            said
            for other in run.gates
            if other.status is GateStatus.APPROVED
            and names.index(other.step) < names.index(gate.step)
            and other.subject.manifest_digest == gate.subject.manifest_digest
            and other.subject.environment == gate.subject.environment
            for said in about(other, decided[other.id])
        ]

    @invariant()
    def no_gate_that_could_close_stays_open(self) -> None:
        for run, gate in self.waiting():
            decided = self._decided(run)
            mine = decided[gate.id]
            assert not says_no(gate, mine, self.folk), (gate, mine)
            assert not could_close(gate, mine, self._earlier(run, gate, decided), self.folk), (gate, mine)

    @invariant()
    def nobody_is_counted_twice(self) -> None:
        for run, gate in self.waiting():
            view = get_gate(self.house.desk, SYSTEM, run.id, gate.step)
            for is_environment in (False, True):
                states = [state for state in view.evaluation.rules if state.is_environment is is_environment]
                counted = [n for state in states for n in state.counted if not n.startswith("policy:")]
                assert len(counted) == len(set(counted)), counted
                if not is_environment:
                    humans = [d.by for d in about(gate, view.decisions) if (d.on_behalf_of or d.by) in counted]
                    assert len(humans) == len(set(humans)), humans
                    assert not set(humans) & set(gate.excluded)

    @invariant()
    def nothing_was_deployed_without_its_rules(self) -> None:
        with self.house.database.begin() as tx:
            found = [d for d in deployments.list_deployments(tx, model=MODEL) if d.live_at is not None]
        for deployment in sorted(found, key=lambda d: d.live_at or d.started_at):
            if deployment.id in self.seen:
                continue
            self.seen.add(deployment.id)
            type(self).deployed += 1
            self.done[f"deployed {deployment.kind}"] += 1
            if deployment.kind is DeploymentKind.RUN:
                self._check_run(deployment)
            elif deployment.kind is DeploymentKind.ROLLBACK:
                self._check_rollback(deployment, found)
            else:
                self._check_emergency(deployment)

    def _check_run(self, deployment: Deployment) -> None:
        with self.house.database.begin() as tx:
            run = runs.get_run(tx, deployment.run_id)
            revoked = find_newest(tx, MODEL, deployment.version)
        decided = self._decided(run)
        position = next(
            i for i, s in enumerate(run.pipeline.steps) if getattr(s, "environment", "") == deployment.environment
        )
        asked = [step for step in run.pipeline.steps[:position] if isinstance(step, ApprovalStep)]
        assert asked, "a deployment without a gate"
        for step in asked:
            gate = run.gate(step.name)
            assert gate is not None
            assert gate.status is GateStatus.APPROVED
            assert gate.subject.manifest_digest == deployment.digest
            assert could_close(replace(gate, environment_rules=()), decided[gate.id], [], self.folk), (gate, decided)
            assert gate.closed_at is not None
            assert revoked is None or revoked.at < gate.closed_at, "a revoked approval was deployed"
            assert gate.valid_until is None or deployment.live_at is None or deployment.live_at <= gate.valid_until
        if deployment.environment == "production":
            last = run.gate(asked[-1].name)
            assert last is not None
            now = replace(last, environment_rules=self.production.rules)
            assert could_close(now, decided[last.id], self._earlier(run, last, decided), self.folk), (now, decided)
            started = deployment.started_at
            assert not any(freeze.since <= started < freeze.until for freeze in self.production.freeze)

    def _check_rollback(self, deployment: Deployment, found: Sequence[Deployment]) -> None:
        former = [d for d in found if d.id != deployment.id and d.version == deployment.version]
        assert any(d.digest == deployment.digest and d.environment == deployment.environment for d in former)

    def _check_emergency(self, deployment: Deployment) -> None:
        glass = self.production.break_glass
        assert glass is not None
        found = [
            view.emergency
            for view in emergencies.list_emergencies(self.house.desk, SYSTEM)
            if view.emergency.deployment_id == deployment.id
        ]
        for emergency in found:
            words = [n for n in set(emergency.confirmed_by) if is_named(self.folk, n, glass.approvers)]
            assert len(words) >= glass.required_approvals, emergency
        assert len(found) == 1

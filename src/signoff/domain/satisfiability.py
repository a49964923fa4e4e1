"""Whether people could ever satisfy a gate: its two sets of rules, each matched by itself as `evaluate` does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from signoff.domain.actor import Directory
from signoff.domain.environment import Environment
from signoff.domain.errors import UnsatisfiableRuleError
from signoff.domain.gate import Gate, counting
from signoff.domain.matching import is_satisfiable
from signoff.domain.pipeline import ApprovalStep, Pipeline, RuleSpec


def unfillable(gate: Gate, people: Directory) -> RuleSpec | None:
    """The first rule of `gate` that could not be filled even if everybody approved; None when all could."""
    for rules, is_environment in ((gate.present_rules, False), (gate.environment_rules, True)):
        able = {rule.name: counting(gate, rule, people, is_environment=is_environment) for rule in rules}
        broken = is_satisfiable(rules, {name: people.humans(who) for name, who in able.items()})
        if broken is not None:
            return broken
    return None


def never(gate: Gate, rule: RuleSpec, people: Directory) -> str:
    """That `gate` could never be approved because of `rule`, in words."""
    who = sorted(counting(gate, rule, people, is_environment=rule not in gate.present_rules))
    can = (
        f"only {', '.join(who)} could give {'it' if rule.required_approvals == 1 else 'them'}"
        if who
        else ("nobody could give it" if rule.required_approvals == 1 else "nobody could give them")
    )
    number = "1 approval" if rule.required_approvals == 1 else f"{rule.required_approvals} approvals"
    return f"The gate {gate.step} of run {gate.run_id} could never be approved: {rule.name} needs {number}, and {can}."


def check_satisfiable(
    pipeline: Pipeline,
    model: str,
    contributors: Collection[str],
    environments: Mapping[str, Environment],
    people: Directory,
) -> None:
    """Return when the gates of `pipeline` could be approved for `model` by people who are not its `contributors`.

    Raises:
        UnsatisfiableRuleError: one could not; the message names the step, the rule, and who does not count.
    """
    for position, step in enumerate(pipeline.steps):
        if not isinstance(step, ApprovalStep):
            continue
        barred = people.with_accounts(contributors)
        excluded = frozenset[str]() if step.allow_self_approval else barred
        demanded = _guarded_rules(pipeline, position, environments)
        for rules, without in ((step.rules, excluded), (demanded, barred)):
            eligible = {rule.name: people.eligible(rule.approvers, model) - without for rule in rules}
            broken = is_satisfiable(rules, {name: people.humans(able) for name, able in eligible.items()})
            if broken is not None:
                who = ", ".join(sorted(eligible[broken.name])) or "nobody"
                others = f"{' and '.join(sorted(contributors))} submitted it and {_do(contributors)} not count"
                raise UnsatisfiableRuleError(
                    f"{step.name} could never be approved: {broken.name} needs {broken.required_approvals}, and {who} "
                    f"could approve; {others}.",
                    "Let somebody submit it who is not needed as an approver, or ask an administrator for another one.",
                )


def _guarded_rules(pipeline: Pipeline, position: int, environments: Mapping[str, Environment]) -> tuple[RuleSpec, ...]:
    """The rules of the environment that the gate at `position` carries."""
    target = pipeline.deployment_after(position)
    if target is None or not pipeline.is_last_gate_before_deployment(position):
        return ()
    environment = environments.get(target.environment)
    return environment.rules if environment is not None else ()


def _do(names: Collection[str]) -> str:
    return "does" if len(names) == 1 else "do"

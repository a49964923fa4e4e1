"""The four kinds of step: what each may say, and the value that it becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from signoff.domain.expression import Expression
from signoff.domain.pipeline import (
    ApprovalStep,
    DeploymentStep,
    OnDeployFail,
    OnReject,
    OnTestFail,
    RuleSpec,
    Step,
    TestStep,
    TrainingStep,
)
from signoff.spec.checks import PREDICTIONS, read_checks, read_wishes
from signoff.spec.command import read_command
from signoff.spec.condition import read_expression
from signoff.spec.fields import Fields, first_place, kind_of, nearest, one_of
from signoff.spec.gates import FIELDS as DEADLINES
from signoff.spec.gates import MISTAKES as DEADLINE_MISTAKES
from signoff.spec.gates import read_deadlines, read_step_up
from signoff.spec.problem import Place, Problems, said
from signoff.spec.rules import MISTAKES, check_counts, read_approvers, read_required, read_rules
from signoff.spec.tree import Node, Scalar, Table

STEP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
STEP_NAME_HINT = "start with a letter; then letters, digits, _ and -, 64 in all"
ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ENVIRONMENT_NAME_HINT = "use letters, digits, _ and -"
KINDS = ("training", "test", "approval", "deployment")

_KIND_MISTAKES = {
    **dict.fromkeys(("manual", "review", "gate", "sign-off", "signoff", "manual_approval", "human"), "approval"),
    **dict.fromkeys(("evaluation", "evaluate", "validation", "check", "checks"), "test"),
    **dict.fromkeys(("release", "promote", "serve", "deployer"), "deployment"),
    **dict.fromkeys(("fit", "build", "retrain"), "training"),
}
_MISTAKES = {
    **MISTAKES,
    **DEADLINE_MISTAKES,
    **dict.fromkeys(("command", "cmd", "script", "exec", "entrypoint"), "run"),
    **dict.fromkeys(("parameters", "args", "arguments", "env"), "params"),
    **dict.fromkeys(("retry", "attempts", "max_retries"), "retries"),
    **dict.fromkeys(("metrics", "conditions", "assert", "tests", "thresholds"), "checks"),
    **dict.fromkeys(("target", "stage", "to", "env", "environments"), "environment"),
    **dict.fromkeys(("on_failure", "on_error"), "on_fail"),
    **dict.fromkeys(("on_rejected", "on_rejection", "if_rejected"), "on_reject"),
    **dict.fromkeys(("on_changes", "on_request_changes"), "on_changes_requested"),
    **dict.fromkeys(("with", "input", "config", "parameters"), "inputs"),
    **dict.fromkeys(("kind", "uses", "step_type"), "type"),
    **dict.fromkeys(("id", "step"), "name"),
}
_BELONGS = {
    "training": ("run", "python", "params", "runner", "timeout", "retries"),
    "test": ("run", "python", "params", "runner", "timeout", "retries", "checks", *PREDICTIONS),
    "approval": (
        "approvers", "required_approvals", "rules", "auto_approve_if", "checklist", "allow_self_approval",
        "step_up", *DEADLINES,
    ),
    "deployment": ("environment",),
}  # fmt: skip
_BESIDE = {
    "training": (),
    "test": ("on_fail",),
    "approval": ("on_reject", "on_changes_requested"),
    "deployment": ("on_fail",),
}


@dataclass(frozen=True, slots=True)
class ReadStep:
    """One step as far as it could be read, with its node, for lints. `expressions`: each with where it stands.

    `people`: where its checks say that people decide what is uncertain.
    """

    step: Step
    node: Table
    place: Place
    expressions: tuple[tuple[Expression, Scalar], ...] = ()
    people: tuple[Place, ...] = ()


class _Draft:
    """A step while it is read: its own keys (`fields`), its `inputs`, and the expressions found so far."""

    def __init__(self, fields: Fields, inputs: Fields, name: str, *, has_training: bool) -> None:
        self.fields = fields
        self.inputs = inputs
        self.name = name
        self.has_training = has_training
        self.expressions: list[tuple[Expression, Scalar]] = []
        self.people: tuple[Place, ...] = ()

    @property
    def place(self) -> Place:
        """Where a message about something missing from `inputs` points."""
        entry = self.fields.table.entries.get("inputs")
        return first_place(self.fields.table) if entry is None else entry.key.place


def read_step(
    node: Node, number: int, problems: Problems, names: dict[str, int], *, has_training: bool
) -> ReadStep | None:
    """Step `number` (from 1), as far as it can be read; None when its kind is not known.

    `names` are those of the steps before, with their lines; `has_training`: one of them trains.
    """
    if not isinstance(node, Table):
        message = f"each step must be a mapping with a name and a type, not {kind_of(node)}"
        problems.error(node.place, message, "write - name: approve_model", code="type")
        return None
    fields = Fields(node, f"step {number}", problems)
    name = _read_name(fields, names)
    kind = _read_kind(fields)
    table = fields.table_of("inputs", may_be_empty=True) or Table(first_place(node), {})
    inputs = Fields(table, f"the inputs of {name or fields.where}", problems)
    draft = _Draft(fields, inputs, name or f"step_{number}", has_training=has_training)
    step = None if kind is None else _READERS[kind](draft)
    if kind is not None:
        inputs.close(_MISTAKES, _elsewhere(kind, _BESIDE[kind], "stands beside inputs, not inside"))
        for key, hint in _REQUIRED[kind].items():
            is_said_otherwise = key in fields or (key == "approvers" and "rules" in inputs)
            if not is_said_otherwise:
                inputs.require(key, hint, at=draft.place, where=fields.where)
        fields.close(_MISTAKES, _elsewhere(kind, _BELONGS[kind], "goes under inputs:"))
    fields.require("name", "add name: approve_model")
    fields.require("type", f"add type: {kind or one_of(KINDS)}")
    if step is None:
        return None
    named = node.entries.get("name")
    place = first_place(node) if named is None else named.value.place
    return ReadStep(step, node, place, tuple(draft.expressions), draft.people)


def _read_name(fields: Fields, names: dict[str, int]) -> str | None:
    name = fields.named("name", STEP_NAME, STEP_NAME_HINT)
    if name is None:
        return None
    fields.where = f"step {name}"
    place = fields.table.entries["name"].value.place
    line = names.get(name)
    names.setdefault(name, place.line)
    if line is not None:
        message = f"two steps are called {said(name)}"
        fields.problems.error(place, message, f"the other is on line {line}; rename one", code="duplicate")
    return name


def _read_kind(fields: Fields) -> str | None:
    """The step's type; where it is missing or misspelt, what it probably is, so that the rest is read too."""
    node = fields.node("type")
    if isinstance(node, Scalar) and node.text in KINDS:
        return node.text
    inputs = fields.table.entries.get("inputs")
    keys = set(inputs.value.entries) if inputs is not None and isinstance(inputs.value, Table) else set()
    likely = next((k for k in ("approval", "deployment") if keys & set(_BELONGS[k]) - {"timeout"}), None)
    likely = likely or ("test" if "checks" in keys else None)
    if node is None:
        return likely
    guess = None
    if isinstance(node, Scalar) and node.text and not fields.problems.is_full:
        word = node.text.lower()
        guess = likely or _KIND_MISTAKES.get(word) or nearest(word, KINDS)
    shown = said(node.text) if isinstance(node, Scalar) and node.text else kind_of(node)
    hint = f"did you mean '{guess}'?" if guess else ""
    fields.error(node, f"type must be {one_of(KINDS)}, not {shown}", hint, code="choice")
    return guess or likely


def _elsewhere(kind: str, others: Iterable[str], where: str) -> Callable[[str], str | None]:
    """What to say about a key of a step of `kind` that stands at the wrong level, or belongs to another kind."""

    def answer(key: str) -> str | None:
        if key in others:
            return f"{key} {where}"
        owners = [k for k in KINDS if k != kind and key in _BELONGS[k] + _BESIDE[k]]
        return f"{key} belongs to {_article(owners)} step" if owners else None

    return answer


def _article(kinds: list[str]) -> str:
    return one_of(f"{'an' if kind == 'approval' else 'a'} {kind}" for kind in kinds)


def _read_training(draft: _Draft) -> Step:
    return TrainingStep(draft.name, read_command(draft.inputs))


def _read_test(draft: _Draft) -> Step:
    command = read_command(draft.inputs)
    checks = read_checks(draft.inputs, lambda node, called: _read_expression(draft, node, called))
    wishes = read_wishes(draft.inputs)
    draft.people = tuple(check.people for check in checks if check.people is not None)
    on_fail = draft.fields.choice("on_fail", OnTestFail, default=OnTestFail.FAIL_PIPELINE)
    if "checks" not in draft.inputs and "run" not in draft.inputs:
        message = f"{draft.name} neither runs anything nor checks anything"
        draft.inputs.problems.warn(draft.place, message, "add checks: [accuracy > 0.9]")
    return TestStep(draft.name, command, tuple(check.check for check in checks), on_fail, **wishes._asdict())


def _read_expression(draft: _Draft, node: Node, called: str) -> Expression | None:
    expression = read_expression(draft.inputs, node, called)
    if expression is not None and isinstance(node, Scalar):
        draft.expressions.append((expression, node))
    return expression


def _read_approval(draft: _Draft) -> Step:
    inputs = draft.inputs
    rules = _read_gate_rules(draft)
    node = inputs.filled("auto_approve_if")
    condition = None if node is None else _read_expression(draft, node, "auto_approve_if")
    checklist = inputs.texts("checklist", "a list of sentences to tick")
    allow_self = inputs.flag("allow_self_approval", default=False)
    deadlines = read_deadlines(inputs)
    default = OnReject.RETRAIN if draft.has_training else OnReject.FAIL_PIPELINE
    return ApprovalStep(
        draft.name,
        rules,
        None if condition is None else condition.text,
        checklist,
        allow_self,
        draft.fields.choice("on_reject", OnReject, default=default),
        draft.fields.choice("on_changes_requested", OnReject, default=OnReject.RETRAIN),
        **deadlines._asdict(),
        step_up=read_step_up(inputs),
    )


def _read_gate_rules(draft: _Draft) -> tuple[RuleSpec, ...]:
    """The rules of a gate: those listed, or the one that `approvers` makes. Only rules that are sound."""
    inputs = draft.inputs
    if "rules" in inputs:
        rules = read_rules(inputs, allow_policy=True, is_environment=False) or ()
        for key in ("approvers", "required_approvals"):
            inputs.node(key)
            entry = inputs.table.entries.get(key)
            if entry is not None:
                message = f"{key} and rules cannot both be given"
                inputs.problems.error(entry.key.place, message, f"put {key} inside a rule, or take rules out")
        return rules if check_counts(inputs, rules, inputs.table.entries["rules"].key.place) else ()
    approvers = read_approvers(inputs)
    required = read_required(inputs)
    inputs.node("rules")
    if not approvers or required is None:
        return ()
    rule = RuleSpec(draft.name, approvers, required)
    at = inputs.table.entries.get("required_approvals") or inputs.table.entries["approvers"]
    return (rule,) if check_counts(inputs, (rule,), at.value.place) else ()


def _read_deployment(draft: _Draft) -> Step:
    environment = draft.inputs.named("environment", ENVIRONMENT_NAME, ENVIRONMENT_NAME_HINT)
    on_fail = draft.fields.choice("on_fail", OnDeployFail, default=OnDeployFail.ROLLBACK)
    return DeploymentStep(draft.name, environment or "", on_fail)


_READERS: dict[str, Callable[[_Draft], Step]] = {
    "training": _read_training,
    "test": _read_test,
    "approval": _read_approval,
    "deployment": _read_deployment,
}
_REQUIRED: dict[str, dict[str, str]] = {
    "training": {},
    "test": {},
    "approval": {"approvers": "add approvers: ['bob']"},
    "deployment": {"environment": "add environment: local"},
}

"""What is wrong with a pipeline as a whole, though each of its steps is well-formed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from signoff.domain.environment import LOCAL, Environment
from signoff.domain.expression_parse import Origin
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, TestStep, TrainingStep
from signoff.spec.approvers import check_approvers, check_environment_rules
from signoff.spec.fields import nearest
from signoff.spec.known import Known
from signoff.spec.problem import Place, Problems
from signoff.spec.steps import ReadStep
from signoff.spec.tree import find


def lint(pipeline: Pipeline, steps: Sequence[ReadStep], problems: Problems, known: Known | None) -> None:
    """Report what the order of the steps gets wrong, and what the server of `known` could not honour."""
    known = known or Known()
    late = set(_late_approvals(pipeline, steps, problems))
    _late_trainings(steps, problems)
    _undecided(steps, problems)
    _deployments(steps, problems, known, late)
    _names(steps, problems, known)
    model = known.model or pipeline.model or (pipeline.name if pipeline.trains else None)
    for position, read in enumerate(steps):
        if not isinstance(read.step, ApprovalStep):
            continue
        check_approvers(read, read.step, model, problems, known)
        if pipeline.is_last_gate_before_deployment(position):
            _guarded(steps[position:], model, problems, known)


def _late_approvals(pipeline: Pipeline, steps: Sequence[ReadStep], problems: Problems) -> Iterator[str]:
    """An approval that can only have been meant for a deployment that comes before it; yields that deployment."""
    unguarded: str | None = None
    has_approval = False
    for position, read in enumerate(steps):
        step = read.step
        if isinstance(step, DeploymentStep) and not has_approval:
            unguarded = step.name
        if not isinstance(step, ApprovalStep):
            continue
        has_approval = True
        if unguarded is not None and pipeline.deployment_after(position) is None:
            message = f"{step.name} comes after {unguarded}"
            message += "; an approval must come before the deployment that it guards"
            problems.error(read.place, message, f"move it before {unguarded}", code="late_approval")
            yield unguarded


def _late_trainings(steps: Sequence[ReadStep], problems: Problems) -> None:
    """A training step that would replace what people have approved, or what is deployed."""
    approval: str | None = None
    deployment: str | None = None
    for read in steps:
        step = read.step
        if isinstance(step, ApprovalStep):
            approval = approval or step.name
        elif isinstance(step, DeploymentStep):
            deployment = deployment or step.name
        elif isinstance(step, TrainingStep) and (approval or deployment):
            after = approval or deployment
            message = f"{step.name} makes a new version after {after}; nobody would approve what is deployed"
            problems.error(read.place, message, f"move it before {after}", code="late_training")


def _undecided(steps: Sequence[ReadStep], problems: Problems) -> None:
    """A check that leaves to people what is uncertain, where no people follow."""
    last = max((index for index, read in enumerate(steps) if isinstance(read.step, ApprovalStep)), default=-1)
    for read in steps[last + 1 :]:
        for place in read.people:
            message = f"on_uncertain: people, but no approval comes after {read.step.name}; nobody would decide"
            hint = "add an approval step after it, or write on_uncertain: fail"
            problems.error(place, message, hint, code="nobody_decides")


def _deployments(steps: Sequence[ReadStep], problems: Problems, known: Known, late: set[str]) -> None:
    """A deployment that nothing and nobody looks at first, or not as its environment demands."""
    has_approval = has_approval_since = has_check = has_test = False
    for read in steps:
        step = read.step
        if isinstance(step, ApprovalStep):
            has_approval = has_approval_since = True
        elif isinstance(step, TestStep):
            has_check = has_check or bool(step.checks)
            has_test = has_test or "run" in _inputs_of(read)
        elif isinstance(step, DeploymentStep):
            environment = _environment(step, read, problems, known)
            is_guarded = has_approval_since if environment is not None and environment.rules else has_approval
            if environment is not None:
                _check_measured(environment, step, _target(read), problems, has_test=has_test)
            if environment is not None and environment.is_protected and not is_guarded:
                message = f"environment {environment.name} is protected, and no approval comes before {step.name}"
                hint = "add an approval step right before it"
                problems.error(_target(read), message, hint, code="unguarded_deployment")
            elif not has_approval and not has_check and step.name not in late:
                message = f"{step.name} deploys with no approval and no check before it"
                problems.warn(read.place, message, "add an approval step before it", code="unguarded_deployment")
            has_approval_since = False


def _environment(step: DeploymentStep, read: ReadStep, problems: Problems, known: Known) -> Environment | None:
    """The environment that `step` names, where environments are known; one that does not exist is reported."""
    if known.environments is None or not step.environment:
        return None
    environments = {LOCAL.name: LOCAL, **known.environments}
    if step.environment not in environments:
        guess = nearest(step.environment, environments)
        hint = f"did you mean '{guess}'?" if guess else f"the server's environments are {', '.join(environments)}"
        message = f"the server has no environment {step.environment}"
        problems.error(_target(read), message, hint, code="unknown_environment")
    return environments.get(step.environment)


def _check_measured(
    environment: Environment, step: DeploymentStep, place: Place, problems: Problems, *, has_test: bool
) -> None:
    if environment.require.measured and not has_test:
        message = f"environment {environment.name} takes measured metrics only"
        message += f", and no test step before {step.name} has a run"
        problems.error(place, message, "give a test step run: python evaluate.py", code="nothing_measured")


def _guarded(steps: Sequence[ReadStep], model: str | None, problems: Problems, known: Known) -> None:
    """Whether people could satisfy the rules of the environment that the gate `steps[0]` guards."""
    gate = steps[0].step
    target = next((read for read in steps if isinstance(read.step, DeploymentStep)), None)
    if target is None or not isinstance(gate, ApprovalStep) or not isinstance(target.step, DeploymentStep):
        return
    environment = (known.environments or {}).get(target.step.environment)
    if environment is not None:
        check_environment_rules(environment, model, _target(target), problems, known)


def _names(steps: Sequence[ReadStep], problems: Problems, known: Known) -> None:
    """An expression that reads what no step before it can have reported."""
    reporters: set[str] = set()
    has_command = False
    for read in steps:
        if isinstance(read.step, TestStep | TrainingStep):
            has_command = has_command or "run" in _inputs_of(read)
        if isinstance(read.step, TestStep):
            reporters.add(read.step.name)
        for expression, node in read.expressions:
            for reference in expression.references:
                if reference.origin is Origin.STEP and reference.step not in reporters:
                    guess = nearest(reference.step, reporters)
                    hint = f"did you mean '{guess}'?" if guess else "name a test step that comes before"
                    message = f"no test step {reference.step} comes before, so {reference.label} is never there"
                    problems.warn(node.place, message, hint, code="unknown_metric")
                elif (
                    reference.origin is Origin.METRIC
                    and known.metrics is not None
                    and not has_command
                    and reference.name not in known.metrics
                ):
                    guess = nearest(reference.name, known.metrics)
                    listed = ", ".join(sorted(known.metrics)) or "none"
                    hint = f"did you mean '{guess}'?" if guess else f"the metrics reported are: {listed}"
                    problems.warn(node.place, f"no step reports {reference.label}", hint, code="unknown_metric")


def _inputs_of(read: ReadStep) -> frozenset[str]:
    """The keys of the step's inputs, whether or not they could be read."""
    entry = read.node.entries.get("inputs")
    return frozenset(getattr(entry.value, "entries", ())) if entry is not None else frozenset()


def _target(read: ReadStep) -> Place:
    return find(read.node, "inputs", "environment")

"""What is wrong with a pipeline as a whole, though each of its steps is well-formed."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, TestStep, TrainingStep
from signoff.spec.known import Known
from signoff.spec.problem import Problems
from signoff.spec.steps import ReadStep
from signoff.spec.tree import find


def lint(pipeline: Pipeline, steps: Sequence[ReadStep], problems: Problems, context: Known | None) -> None:
    """Report what the order of the steps gets wrong, and what the server of `context` could not honour."""
    _late_approvals(pipeline, steps, problems)
    _late_trainings(steps, problems)
    _unguarded_deployments(steps, problems, context)


def _late_approvals(pipeline: Pipeline, steps: Sequence[ReadStep], problems: Problems) -> None:
    """An approval that can only have been meant for a deployment that comes before it."""
    unguarded: DeploymentStep | None = None
    has_approval = False
    for position, read in enumerate(steps):
        step = read.step
        if isinstance(step, DeploymentStep) and not has_approval:
            unguarded = step
        if isinstance(step, ApprovalStep):
            has_approval = True
            if unguarded is not None and pipeline.deployment_after(position) is None:
                message = f"{step.name} comes after {unguarded.name}"
                message += "; an approval must come before the deployment that it guards"
                problems.error(read.place, message, f"move it before {unguarded.name}", code="late_approval")


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


def _unguarded_deployments(steps: Sequence[ReadStep], problems: Problems, context: Known | None) -> None:
    """A deployment that nothing and nobody looks at first."""
    environments = (context and context.environments) or {}
    has_approval = has_check = False
    for read in steps:
        step = read.step
        if isinstance(step, ApprovalStep):
            has_approval = True
        elif isinstance(step, TestStep):
            has_check = has_check or bool(step.checks)
        elif isinstance(step, DeploymentStep) and not has_approval and not has_check:
            environment = environments.get(step.environment)
            if environment is None or not environment.is_protected:
                message = f"{step.name} deploys with no approval and no check before it"
                problems.warn(find(read.node, "name"), message, "add an approval step before it")

"""A pipeline file tried out: every problem with its line, caret and fix; what it would do; who could approve today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, TestStep, TrainingStep
from signoff.service.catalogue import try_pipeline
from signoff.web.page import render
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
_LONGEST = 500_000


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """A step in a line: its kind and what it does, and for an approval who could give it today."""

    name: str
    kind: str
    icon: str
    words: str
    approvers: tuple[tuple[str, int, tuple[str, ...]], ...] = ()


@router.get("/pipelines/validate")
def show(request: Request, actor: SignedIn) -> Response:
    """The empty page."""
    del actor  # it takes somebody who is signed in
    return render(request, "validate.html", text="", was_tried=False, problems=(), steps=(), pipeline=None)


@router.post("/pipelines/validate")
def validate(
    request: Request, desk: DeskOf, actor: SignedIn, text: Annotated[str, Form(max_length=_LONGEST)] = ""
) -> Response:
    """What is wrong with it, and what it says."""
    text = text.replace("\r\n", "\n")
    found = try_pipeline(desk, actor, text, filename="signoff.yaml")
    steps = _drawn(found.pipeline, found.eligible) if found.pipeline is not None else ()
    return render(
        request,
        "validate.html",
        text=text,
        was_tried=True,
        problems=found.problems,
        steps=steps,
        pipeline=found.pipeline,
    )


def _drawn(pipeline: Pipeline, eligible: dict[str, tuple[str, ...]]) -> tuple[DrawnStep, ...]:
    drawn = []
    for step in pipeline.steps:
        match step:
            case TrainingStep(command=command):
                words = f"runs {' '.join(command.argv)}" if command is not None else "takes the version submitted"
                drawn.append(DrawnStep(step.name, "training", "flask", words))
            case TestStep(checks=checks):
                words = f"{len(checks)} checks" if len(checks) != 1 else "1 check"
                drawn.append(
                    DrawnStep(step.name, "test", "list-check", f"{words}; if one fails: {_said(step.on_fail)}")
                )
            case ApprovalStep(rules=rules):
                who = tuple(
                    (rule.name, rule.required_approvals, eligible.get(f"{step.name}/{rule.name}", ())) for rule in rules
                )
                auto = f"; by itself if {step.auto_approve_if}" if step.auto_approve_if else ""
                drawn.append(DrawnStep(step.name, "approval", "eye", f"waits for people{auto}", who))
            case DeploymentStep():
                drawn.append(DrawnStep(step.name, "deployment", "rocket", f"into {step.environment}"))
    return tuple(drawn)


def _said(word: str) -> str:
    return word.replace("_", " ")

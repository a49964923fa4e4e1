"""A training step: run the command under its own tracking run, then take in the version that it delivered."""

from __future__ import annotations

from signoff.domain.audit import Event
from signoff.domain.errors import MachineryError
from signoff.domain.next_action import PassStep
from signoff.domain.pipeline import TrainingStep
from signoff.domain.run import Run, StepStatus
from signoff.engine.champion import find_champion
from signoff.engine.commands import champion_context, key_of, patiently, run_command
from signoff.engine.events import event
from signoff.engine.machinery import Machinery, scratch_of
from signoff.engine.outputs import read_answers
from signoff.store import answers, runs


def train(machinery: Machinery, run: Run, step: TrainingStep) -> Run:
    """Carry out `step`, which is running, and write its end.

    Raises:
        MachineryError: the command broke, or delivered no model.
        UnavailableError: the registry is away.
    """
    if step.command is None:
        raise ValueError(f"{step.name} has no command")
    position = run.pipeline.position(step.name)
    tracking = machinery.registry.start_training_run(key_of(run, step.name), run.pipeline.name)
    champion = find_champion(machinery, run, position)
    extra = champion_context((champion[0].version, champion[1].uri, champion[0].metrics) if champion else None)
    ended = run_command(machinery, run, step.name, step.command, environment=tracking.environment, extra=extra)
    if ended.exit_status != 0:
        raise MachineryError(
            f"{step.name} ended with exit status {ended.exit_status}.",
            f"`signoff logs {run.id} {step.name}` shows why; `signoff retry {run.id}` tries again.",
        )
    version = patiently(machinery, lambda: machinery.registry.collect(tracking.id, ended.output, run.model))
    said, notes = read_answers(ended.output, run.attempt.asked)
    at = machinery.clock()
    contributors = sorted({*run.attempt.contributors, run.submitter})
    with machinery.database.begin() as tx:
        run = runs.set_version(
            tx,
            run,
            version,
            contributors=contributors,
            audit=[
                event(Event.VERSION_RECORDED, run, at, version=version.version, digest=version.digest, trained=True)
            ],
        )
        if said:
            recorded = event(Event.ANSWERS_RECORDED, run, at, answers=said)
            run = answers.set_answers(tx, run, said, audit=[recorded])
        run = runs.set_step(
            tx,
            run,
            step.name,
            status=StepStatus.SUCCEEDED,
            at=at,
            training_run_id=tracking.id,
            note="; ".join([f"trained {version.label}", *notes]),
            audit=[event(Event.STEP_SUCCEEDED, run, at, step=step.name, version=version.version)],
        )
    machinery.clean(scratch_of(run), f"{step.name}-{run.attempt.number}")
    return run


def pass_training(machinery: Machinery, run: Run, action: PassStep) -> Run:
    """A training step without a command: the submitted version satisfies it."""
    version = run.attempt.version
    label = version.label if version is not None else "?"
    at = machinery.clock()
    with machinery.database.begin() as tx:
        return runs.set_step(
            tx,
            run,
            action.step.name,
            status=StepStatus.SUCCEEDED,
            at=at,
            note=f"satisfied by {label}, trained outside",
            audit=[event(Event.STEP_SUCCEEDED, run, at, step=action.step.name)],
        )

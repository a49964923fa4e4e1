"""The advance loop: ask `next_action`, do that one thing, again, until the run waits or has ended.

One job runs it at a time for a run (the job's lock); the epoch makes sure of it even when a stalled worker wakes up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from signoff.domain.audit import Event
from signoff.domain.errors import (
    CancelledError,
    FencedError,
    HandedBackError,
    MachineryError,
    SignoffError,
    UnavailableError,
)
from signoff.domain.next_action import (
    AwaitAnswers,
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
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Step, TestStep, TrainingStep
from signoff.domain.run import Run, RunKind, RunStatus, StepStatus
from signoff.engine import adoptions, attempts, deploying, emergencies, gates, testing, training
from signoff.engine.events import event
from signoff.engine.jobs import wake_run
from signoff.engine.machinery import LOG, Machinery, scratch_of
from signoff.engine.mirror import mirror
from signoff.store import runs

T = TypeVar("T")

_MOST_DEATHS = 4
"""How often a worker may die in a step, beyond its retries, before the step is given up as errored."""

_FINISHED = {
    RunStatus.SUCCEEDED: Event.RUN_SUCCEEDED,
    RunStatus.FAILED: Event.RUN_FAILED,
    RunStatus.REJECTED: Event.RUN_REJECTED,
    RunStatus.ERRORED: Event.RUN_ERRORED,
    RunStatus.EXPIRED: Event.RUN_EXPIRED,
    RunStatus.CANCELLED: Event.RUN_CANCELLED,
    RunStatus.SUPERSEDED: Event.RUN_SUPERSEDED,
}


def advance(machinery: Machinery, run_id: str) -> None:
    """Drive the run as far as it goes without anybody's doing.

    Raises:
        UnavailableError: the database went away; the job is repeated.
    """
    with machinery.database.begin() as tx:
        taken = runs.take_run(tx, run_id)
    log = LOG.bind(run=run_id)
    run = None
    try:
        run = _drive(machinery, taken)
    except (FencedError, CancelledError) as stopped:
        log.info("this worker's part in the run is over", why=stopped.what)
    except HandedBackError:
        _hand_back(machinery, run_id, taken.epoch)
    finally:
        machinery.clean(scratch_of(taken))
    mirror(machinery, run_id, run)


def _drive(machinery: Machinery, run: Run) -> Run:
    """Do one thing after another until the run waits or has ended; returns the run as it is then.

    The run is not read again in between. Each write is fenced by what was known of it and returns it as written, so
    that what this worker knows is what is there; of whatever another does, taking the run over or ending it, the next
    write hears. Only while a gate is open may others move the run on, and then it waits.
    """
    following: Run | None = run
    while following is not None:
        run = following
        following = _do_one(machinery, run)
    return run


def _do_one(machinery: Machinery, run: Run) -> Run | None:
    """Do the next thing; returns the run as it is then, None when there is nothing to do until somebody wakes it."""
    action = next_action(run)
    following: Run | None = None
    match action:
        case Wait():
            pass
        case Finish():
            following = _finish(machinery, run, action)
        case AwaitSubmission() | AwaitAnswers():
            following = attempts.await_submitter(machinery, run, action)
        case StartAttempt():
            following = attempts.start_attempt(machinery, run, action)
        case PassStep():
            following = training.pass_training(machinery, run, action)
        case EndGateStep():
            following = gates.end_gate_step(machinery, run, action)
        case OpenGate(step):
            following = _guarded(machinery, run, step, lambda: gates.open_gate(machinery, run, action))
        case ConfirmGate(step):
            following = _guarded(machinery, run, step, lambda: gates.confirm_gate(machinery, run, action))
        case DoStep(step):
            following = _do_step(machinery, run, step)
    return following


def _do_step(machinery: Machinery, run: Run, step: Step) -> Run | None:
    """Start (or, after a worker's death, start again) a training, test or deployment step and carry it out.

    None when a deployment has to queue.
    """
    state = run.attempt.step(step.name)
    if isinstance(step, DeploymentStep) and state.status is StepStatus.PENDING:
        begun = _guarded(machinery, run, step, lambda: deploying.begin(machinery, run, step))
        if begun is None or begun.attempt.step(step.name).status is not StepStatus.RUNNING:
            return begun
        return _guarded(machinery, begun, step, lambda: deploying.deploy(machinery, begun, step))
    if state.status is StepStatus.RUNNING and state.tries > _retries(step) + _MOST_DEATHS:
        what = f"Workers died {state.tries} times while {step.name} ran."
        hint = "Look at the worker's memory and log, then `signoff retry`."
        return _give_up(machinery, run, step, MachineryError(what, hint, is_retryable=False))
    started = _start(machinery, run, step)
    return _guarded(machinery, started, step, lambda: _carry_out(machinery, started, step))


def _retries(step: Step) -> int:
    return step.command.retries if isinstance(step, TrainingStep | TestStep) and step.command else 0


def _start(machinery: Machinery, run: Run, step: Step) -> Run:
    """Mark the step running, one try more; returns the run as it is then."""
    at = machinery.clock()
    tries = run.attempt.step(step.name).tries + 1
    with machinery.database.begin() as tx:
        started = event(Event.STEP_STARTED, run, at, step=step.name, tries=tries)
        return runs.set_step(tx, run, step.name, status=StepStatus.RUNNING, at=at, tries=tries, audit=[started])


def _carry_out(machinery: Machinery, run: Run, step: Step) -> Run:
    match step:
        case TrainingStep():
            return training.train(machinery, run, step)
        case TestStep():
            return testing.test_version(machinery, run, step)
        case DeploymentStep():
            return deploying.deploy(machinery, run, step)
        case ApprovalStep():
            raise ValueError(f"{step.name} is not carried out: people are asked")


def _guarded(machinery: Machinery, run: Run, step: Step, act: Callable[[], T]) -> T | Run:
    """Call `act`; when the outside is away ask again a few times; when the machinery broke, say so on the step.

    Returns what `act` does, or the run with its errored step.
    """
    pauses = iter(machinery.retry_pauses)
    while True:
        try:
            return act()
        except UnavailableError as error:
            machinery.database.ping()  # the database being away is not the step's failure: the job is repeated
            pause = next(pauses, None)
            if pause is None:
                return _give_up(machinery, run, step, error)
            LOG.warning("the outside did not answer; asking again", run=run.id, step=step.name, error=str(error))
            if machinery.stopping.wait(pause):
                raise HandedBackError(f"The worker was told to stop while {step.name} waited.") from error
        except (FencedError, HandedBackError, CancelledError):
            raise
        except SignoffError as error:
            return _give_up(machinery, run, step, error)
        except OSError as error:
            what = f"The worker's disk refused: {error.strerror or error}: {error.filename or machinery.work}."
            mend = "Make room or mend its rights, then `signoff retry`."
            return _give_up(machinery, run, step, MachineryError(what, mend))
        except Exception as error:  # noqa: BLE001 - a bug must end as an errored, retryable run, not as a lost job
            LOG.exception("a bug in signoff, or a surprise from a library", run=run.id, step=step.name)
            words = f"{type(error).__name__}: {error}"
            look = "This is a bug; the worker's log has the details."
            return _give_up(machinery, run, step, MachineryError(words, look))


def _give_up(machinery: Machinery, run: Run, step: Step, error: SignoffError) -> Run:
    """The step errored; where it has retries left, it is pending again."""
    at = machinery.clock()
    with machinery.database.begin() as tx:
        present = runs.get_run(tx, run.id)
        if present.epoch != run.epoch:
            raise FencedError(f"Run {run.id} was taken over.", "")
        state = present.attempt.step(step.name)
        may_repeat = 0 < state.tries <= _retries(step) and getattr(error, "is_retryable", True)
        errored = event(Event.STEP_ERRORED, run, at, step=step.name, error=str(error), code=error.code)
        if state.status is StepStatus.PENDING:
            # Nothing began (a gate that could not open, a deployment that may not start): it passes through running.
            present = runs.set_step(tx, present, step.name, status=StepStatus.RUNNING, at=at, audit=[])
        if isinstance(step, DeploymentStep):
            deploying.abandon(tx, machinery, present, error)
        return runs.set_step(
            tx,
            present,
            step.name,
            status=StepStatus.PENDING if may_repeat and state.status is StepStatus.RUNNING else StepStatus.ERRORED,
            at=at,
            error=str(error),
            audit=[errored],
        )


def _hand_back(machinery: Machinery, run_id: str, epoch: int) -> None:
    """The worker stops: what it was doing is pending again, and another worker is asked to do it."""
    at = machinery.clock()
    with machinery.database.begin() as tx:
        run = runs.get_run(tx, run_id)
        if run.epoch != epoch:
            return
        for state in run.attempt.steps:
            if state.status is StepStatus.RUNNING and not isinstance(run.pipeline.step(state.name), DeploymentStep):
                back = event(Event.STEP_HANDED_BACK, run, at, step=state.name)
                runs.set_step(
                    tx, run, state.name, status=StepStatus.PENDING, at=at, tries=state.tries - 1, audit=[back]
                )
        wake_run(tx, run_id)


def _finish(machinery: Machinery, run: Run, action: Finish) -> Run:
    """End the run with the status that `action` names."""
    at = machinery.clock()
    with machinery.database.begin() as tx:
        done = event(_FINISHED[action.status], run, at, reason=action.reason)
        error = action.reason if action.status is not RunStatus.SUCCEEDED else None
        ended = runs.set_run(tx, run, status=action.status, at=at, audit=[done], error=error or None)
    LOG.info("run ended", run=run.id, status=action.status.value)
    if ended.kind is RunKind.AFTER_REVIEW:
        emergencies.review_ended(machinery, ended)
        adoptions.review_ended(machinery, ended)
    return ended

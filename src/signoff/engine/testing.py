"""A test step: measure the verified bytes, evaluate the checks, and keep it all as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from signoff.domain.audit import Event
from signoff.domain.errors import DigestMismatchError, MachineryError
from signoff.domain.evidence import (
    Champion,
    CheckResult,
    CheckStatus,
    Evidence,
    EvidenceFile,
    Metric,
    Provenance,
    Severity,
)
from signoff.domain.expression import Scope, judge_check, parse
from signoff.domain.pipeline import ApprovalStep, TestStep
from signoff.domain.run import Run, StepStatus
from signoff.domain.version import ModelVersion
from signoff.engine.champion import find_champion
from signoff.engine.commands import champion_context, key_of, patiently, run_command
from signoff.engine.events import event
from signoff.engine.machinery import Machinery, scratch_of
from signoff.engine.outputs import keep_files, read_junit, read_metrics
from signoff.store import evidence, runs


def test_version(machinery: Machinery, run: Run, step: TestStep) -> Run:
    """Carry out `step`, which is running, and write its end with its evidence.

    Raises:
        MachineryError: the command broke or left something unreadable.
        UnavailableError: the registry is away.
    """
    version = run.attempt.version
    if version is None:
        raise MachineryError(f"{step.name} has no model version to test.", "Put a training step before it.")
    position = run.pipeline.position(step.name)
    champion = find_champion(machinery, run, position)
    training_run_id = None
    junit: tuple[CheckResult, ...] = ()
    files: tuple[EvidenceFile, ...] = ()
    notes: list[str] = []
    if step.command is None:
        metrics = claimed_metrics(version)
    else:
        metrics, junit, files, training_run_id = _measure(machinery, run, step, version, champion)
        if any(f.path.startswith("predictions.") for f in files):
            notes.append("predictions are kept as a file; metrics are not computed from them yet")
    known = champion[0] if champion is not None else None
    with machinery.database.begin() as tx:
        before = list(earlier_evidence(run, position, evidence.list_evidence(tx, evidence_digests(run, position))))
    scope = scope_of(run, version, [*before, Evidence(step.name, 0, "", metrics)], known)
    checks = [judge_check(c.name, parse(c.that), scope, c.severity, c.without_champion) for c in step.checks]
    found = Evidence(
        step=step.name,
        attempt=run.attempt.number,
        model_digest=version.digest,
        metrics=metrics,
        checks=(*checks, *junit),
        champion=known,
        files=files,
        notes=tuple(notes),
    )
    bad = no_answers(found, people_follow=_people_follow(run, position))
    at = machinery.clock()
    words = "; ".join(f"{check.name}: {check.reason}" for check in bad)
    with machinery.database.begin() as tx:
        digest = evidence.add_evidence(tx, run.id, found, at=at)
        run = runs.set_step(
            tx,
            run,
            step.name,
            status=StepStatus.FAILED if bad else StepStatus.SUCCEEDED,
            at=at,
            evidence_digest=digest,
            training_run_id=training_run_id,
            note=words,
            has_failed_checks=bool(found.failed),
            audit=[
                event(
                    Event.STEP_FAILED if bad else Event.STEP_SUCCEEDED,
                    run,
                    at,
                    step=step.name,
                    evidence=digest,
                    failed=[check.name for check in bad],
                )
            ],
        )
    machinery.clean(scratch_of(run), f"{step.name}-{run.attempt.number}")
    return run


def _measure(
    machinery: Machinery,
    run: Run,
    step: TestStep,
    version: ModelVersion,
    champion: tuple[Champion, ModelVersion] | None,
) -> tuple[tuple[Metric, ...], tuple[CheckResult, ...], tuple[EvidenceFile, ...], str]:
    """Run the test command against a verified copy and read what it left."""
    if step.command is None:
        raise ValueError(f"{step.name} has no command")
    copy = machinery.folder_of(scratch_of(run), f"{step.name}-{run.attempt.number}", "model")
    manifest = machinery.registry.fetch(version, copy)
    if manifest.digest != version.digest:
        raise DigestMismatchError(
            f"The bytes of {version.label} are not those that were submitted: "
            f"{version.digest} then, {manifest.digest} now.",
            "Somebody changed them in the registry. Submit the version anew if that was meant.",
        )
    tracking = machinery.registry.start_training_run(key_of(run, step.name), run.pipeline.name)
    environment = {
        **tracking.environment,
        "SIGNOFF_MODEL_URI": f"models:/{version.model}/{version.version}",
        "SIGNOFF_MODEL_PATH": str(copy),
    }
    if champion is not None:
        environment["SIGNOFF_CHAMPION_URI"] = f"models:/{champion[1].model}/{champion[1].version}"
    extra = champion_context((champion[0].version, champion[1].uri, champion[0].metrics) if champion else None)
    ended = run_command(machinery, run, step.name, step.command, environment=environment, extra=extra)
    junit = read_junit(ended.output)
    if ended.exit_status != 0 and not any(check.status is CheckStatus.FAILED for check in junit):
        raise MachineryError(
            f"{step.name} ended with exit status {ended.exit_status}, and no junit.xml says which test failed.",
            f"`signoff logs {run.id} {step.name}` shows why; `signoff retry {run.id}` tries again.",
        )
    logged = {
        name: Metric(name, value, Provenance.MEASURED, step=step.name)
        for name, value in patiently(machinery, lambda: machinery.tracking.metrics(tracking.id)).items()
    }
    # metrics.json may carry intervals, so it wins over the same name logged plainly.
    merged = {**logged, **{metric.name: metric for metric in read_metrics(ended.output, step.name)}}
    files = patiently(machinery, lambda: keep_files(machinery.blobs, ended.output))
    return tuple(merged[name] for name in sorted(merged)), junit, files, tracking.id


def claimed_metrics(version: ModelVersion) -> tuple[Metric, ...]:
    """The metrics that came with the version: claimed."""
    return tuple(Metric(name, value, Provenance.CLAIMED) for name, value in sorted(version.metrics.items()))


def evidence_digests(run: Run, position: int) -> list[str]:
    """The digests of the evidence of the steps before number `position` in the present attempt, in order."""
    digests = (run.attempt.step(step.name).evidence_digest for step in run.pipeline.steps[:position])
    return [digest for digest in digests if digest is not None]


def earlier_evidence(run: Run, position: int, found: Mapping[str, Evidence]) -> Iterable[Evidence]:
    """Those of `found` that belong before step number `position`, in the order of the steps."""
    return (found[digest] for digest in evidence_digests(run, position) if digest in found)


def scope_of(run: Run, version: ModelVersion, found: Iterable[Evidence], champion: Champion | None) -> Scope:
    """What expressions may read: claimed metrics, over them what was measured; of one name the latest."""
    metrics = {metric.name: metric for metric in claimed_metrics(version)}
    by_step: dict[str, dict[str, Metric]] = {}
    for item in found:
        metrics |= {metric.name: metric for metric in item.metrics}
        by_step[item.step] = {metric.name: metric for metric in item.metrics}
    return Scope(metrics, by_step, champion, version.version, version.tags, run.attempt.number)


def no_answers(found: Evidence, *, people_follow: bool) -> list[CheckResult]:
    """The checks that make the step fail: a plain no; and *uncertain* where nobody follows who could decide."""
    return [
        check
        for check in found.checks
        if check.severity is Severity.FAIL
        and (check.status is CheckStatus.FAILED or (check.status is CheckStatus.UNCERTAIN and not people_follow))
    ]


def _people_follow(run: Run, position: int) -> bool:
    return any(isinstance(step, ApprovalStep) for step in run.pipeline.steps[position + 1 :])

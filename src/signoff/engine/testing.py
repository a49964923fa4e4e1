"""A test step: measure the verified bytes, evaluate the checks, and keep it all as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from signoff.domain.audit import Event
from signoff.domain.errors import DigestMismatchError, MachineryError
from signoff.domain.evidence import Champion, CheckStatus, Evidence, EvidenceFile, Metric, Provenance
from signoff.domain.expression import Scope
from signoff.domain.judging import claimed_metrics, judge_checks, looks_of, no_answers, scope_among
from signoff.domain.model_card import explain_missing
from signoff.domain.pipeline import ApprovalStep, TestStep
from signoff.domain.run import Run, StepStatus
from signoff.domain.version import ModelVersion
from signoff.engine.champion import find_champion
from signoff.engine.commands import champion_context, key_of, patiently, run_command
from signoff.engine.evaluating import Findings, evaluate_predictions, needs_champion
from signoff.engine.events import event
from signoff.engine.machinery import Machinery, scratch_of
from signoff.engine.outputs import find_card, keep_files, read_junit
from signoff.engine.rematch import Rematch, find_predictions, keep_predictions, play_again
from signoff.engine.reported import merged, read_metrics
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
    found, training_run_id = _measure(machinery, run, step, version, champion)
    with machinery.database.begin() as tx:
        before = list(earlier_evidence(run, position, evidence.list_evidence(tx, evidence_digests(run, position))))
    scope = scope_of(run, version, [*before, found], champion[0] if champion is not None else None)
    checks = judge_checks(step.checks, scope, found.slices, correct=step.correct, looks=looks_of(found))
    found = replace(found, checks=(*checks, *found.checks))
    bad = no_answers(found.checks, people_follow=_people_follow(run, position))
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
    for folder in (f"{step.name}-{run.attempt.number}", f"{step.name}-{run.attempt.number}-champion"):
        machinery.clean(scratch_of(run), folder)
    return run


def _measure(
    machinery: Machinery,
    run: Run,
    step: TestStep,
    version: ModelVersion,
    champion: tuple[Champion, ModelVersion] | None,
) -> tuple[Evidence, str | None]:
    """Everything that the step finds out, before the pipeline's checks are judged; and its tracking run."""
    known = champion[0] if champion is not None else None
    bare = Evidence(step.name, run.attempt.number, version.digest, champion=known)
    if step.command is None:
        return replace(bare, metrics=claimed_metrics(version)), None
    output, copy, tracking_id = _run(machinery, run, step, version, champion)
    path = find_predictions(output)
    again = Rematch(None)
    findings = Findings()
    if path is not None:
        if step.compare and champion is not None and needs_champion(path):
            keep_predictions(machinery, run, step, version.digest, path)
            again = play_again(machinery, run, step, champion)
        findings = evaluate_predictions(machinery, run, step, path, known, again)
    logged = (
        Metric(name, value, Provenance.MEASURED, step=step.name)
        for name, value in patiently(machinery, lambda: machinery.tracking.metrics(tracking_id)).items()
    )
    sources = [("the MLflow run", logged), ("metrics.json", read_metrics(output, step.name))]
    if path is not None:
        sources.append((path.name, (replace(metric, step=step.name) for metric in findings.metrics)))
    metrics = merged(sources)
    files = patiently(machinery, lambda: keep_files(machinery.blobs, output))
    card_files, card_notes = _card(machinery, output, copy)
    if known is not None and findings.champion_metrics:
        known = replace(known, metrics={**known.metrics, **findings.champion_metrics})
    found = replace(
        bare,
        metrics=tuple(metrics[name] for name in sorted(metrics)),
        checks=read_junit(output),
        champion=known,
        files=(*files, *card_files, *again.files),
        notes=(
            *_unread(step, path, champion),
            *findings.notes,
            *again.notes,
            *card_notes,
        ),
        task=findings.task,
        comparisons=tuple(replace(c, difference=replace(c.difference, step=step.name)) for c in findings.comparisons),
        slices=findings.slices,
        fairness=findings.fairness,
        test_set=findings.test_set,
        pictures=findings.pictures,
    )
    return found, tracking_id


def _card(machinery: Machinery, output: Path, copy: Path) -> tuple[tuple[EvidenceFile, ...], tuple[str, ...]]:
    """The model's card, kept where the command did not leave it, and what it does not say."""
    found = find_card(output, copy)
    if found is None:
        return (), ()
    path, card = found
    missing = explain_missing(card)
    notes = (*card.notes, *([missing] if missing else []))
    if path.parent == output:
        return (), notes
    digest = patiently(machinery, lambda: machinery.blobs.add(path))
    return (EvidenceFile(f"model/{path.name}", digest, path.stat().st_size),), notes


def _unread(step: TestStep, path: Path | None, champion: tuple[Champion, ModelVersion] | None) -> list[str]:
    """What the step asked for and did not get, in words."""
    said = []
    if step.compare and champion is None:
        said.append("there is no champion to compare with")
    wishes = {"compare": step.compare, "slices": bool(step.slices), "sensitive": bool(step.sensitive)}
    asked = [key for key, is_asked in wishes.items() if is_asked]
    if path is None and asked:
        said.append(
            f"the command left no predictions.csv or predictions.parquet, which {' and '.join(asked)} would need"
        )
    return said


def _run(
    machinery: Machinery,
    run: Run,
    step: TestStep,
    version: ModelVersion,
    champion: tuple[Champion, ModelVersion] | None,
) -> tuple[Path, Path, str]:
    """Run the test command against a verified copy; the folder of what it left, the copy, and its tracking run."""
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
    if ended.exit_status != 0 and not any(check.status is CheckStatus.FAILED for check in read_junit(ended.output)):
        raise MachineryError(
            f"{step.name} ended with exit status {ended.exit_status}, and no junit.xml says which test failed.",
            f"`signoff logs {run.id} {step.name}` shows why; `signoff retry {run.id}` tries again.",
        )
    return ended.output, copy, tracking.id


def evidence_digests(run: Run, position: int) -> list[str]:
    """The digests of the evidence of the steps before number `position` in the present attempt, in order."""
    digests = (run.attempt.step(step.name).evidence_digest for step in run.pipeline.steps[:position])
    return [digest for digest in digests if digest is not None]


def earlier_evidence(run: Run, position: int, found: Mapping[str, Evidence]) -> Iterable[Evidence]:
    """Those of `found` that belong before step number `position`, in the order of the steps."""
    return (found[digest] for digest in evidence_digests(run, position) if digest in found)


def scope_of(run: Run, version: ModelVersion, found: Iterable[Evidence], champion: Champion | None) -> Scope:
    """What expressions may read in this attempt, once `found` was found out."""
    corrected = {step.name for step in run.pipeline.steps if isinstance(step, TestStep) and step.correct}
    return scope_among(version, run.attempt.number, found, champion, corrected)


def judge_again(step: TestStep, scope: Scope, found: Evidence) -> dict[str, CheckStatus]:
    """What the checks of `step` say of what it `found`, in a scope that may have another champion by now."""
    champion = scope.champion.digest if scope.champion is not None else None
    is_same = found.champion is not None and found.champion.digest == champion
    slices = found.slices if is_same else tuple(replace(one, to_champion=None) for one in found.slices)
    results = judge_checks(step.checks, scope, slices, correct=step.correct, looks=looks_of(found))
    return {result.name: result.status for result in results}


def _people_follow(run: Run, position: int) -> bool:
    return any(isinstance(step, ApprovalStep) for step in run.pipeline.steps[position + 1 :])

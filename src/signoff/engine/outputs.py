"""What a test command left in its output folder, as evidence: junit.xml, and every file as a blob."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from signoff.domain.errors import AnswersError, MachineryError
from signoff.domain.evidence import CheckResult, CheckStatus, EvidenceFile, Severity
from signoff.domain.feedback import match_answers
from signoff.domain.model_card import ModelCard
from signoff.domain.run import Asked
from signoff.ports import Blobs
from signoff.spec import model_card

_LARGEST_JSON = 1_000_000
_LARGEST_JUNIT = 20_000_000
_MOST_FILES = 1_000


def keep_files(blobs: Blobs, output: Path) -> tuple[EvidenceFile, ...]:
    """Keep every regular file below `output` as a blob; links are not followed."""
    found = sorted(p for p in output.rglob("*") if p.is_file() and not p.is_symlink())
    if len(found) > _MOST_FILES:
        raise MachineryError(
            f"The step left {len(found)} files in SIGNOFF_OUTPUT; at most {_MOST_FILES} are kept.",
            "Pack them into one file.",
            is_retryable=False,
        )
    return tuple(
        EvidenceFile(path.relative_to(output).as_posix(), blobs.add(path), path.stat().st_size) for path in found
    )


def find_card(*folders: Path) -> tuple[Path, ModelCard] | None:
    """The first model card in `folders`, and what could be read of it; a README counts where a model is kept."""
    for folder in folders:
        for name in model_card.FILES:
            path = folder / name
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    content = file.read(model_card.LARGEST_BYTES + 1)
                return path, model_card.read_model_card(content, name)
    return None


def read_junit(output: Path) -> tuple[CheckResult, ...]:
    """Each test of ``junit.xml`` as a check; empty without the file. MachineryError when it cannot be read."""
    path = output / "junit.xml"
    if not path.is_file():
        return ()
    if path.stat().st_size > _LARGEST_JUNIT:
        raise _bad("junit.xml is larger than 20 MB.")
    text = path.read_bytes()
    # UTF-16 could hide a DOCTYPE from this look, and its markup has zero bytes.
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
        raise _bad("junit.xml declares a DOCTYPE or entities, or is not UTF-8: that is refused.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no DOCTYPE, so no entities  # nosec B314
    except ET.ParseError as error:
        raise _bad(f"junit.xml is not XML: {error}.") from error
    return tuple(_case(case) for case in root.iter("testcase"))


def _case(case: ET.Element) -> CheckResult:
    name = ".".join(part for part in (case.get("classname"), case.get("name")) if part) or "unnamed test"
    bad = next((child for child in case if child.tag in {"failure", "error"}), None)
    if bad is not None:
        words = (bad.get("message") or (bad.text or "").strip().split("\n")[0])[:500]
        return CheckResult(name, "junit", CheckStatus.FAILED, Severity.FAIL, words or "the test failed")
    skipped = case.find("skipped") is not None
    return CheckResult(
        name,
        "junit",
        CheckStatus.UNCERTAIN if skipped else CheckStatus.PASSED,
        Severity.WARN if skipped else Severity.FAIL,
        "the test was skipped" if skipped else "the test passed",
    )


def read_answers(output: Path, asked: Sequence[Asked]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What ``answers.json`` says to the reviewers' reasons, and notes about what in it could not be used.

    It is an object: the number of a reason, or its ``kind`` or ``kind:subject``, to what was done about it. A model
    that took hours is not thrown away for a bad answer: whatever is missing, the submitter is asked for.
    """
    path = output / "answers.json"
    if not path.is_file():
        return {}, ()
    if path.stat().st_size > _LARGEST_JSON:
        return {}, ("answers.json is larger than 1 MB and was not read",)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        return {}, (f"answers.json is not JSON: {error}",)
    if not isinstance(document, dict):
        return {}, ("answers.json must be an object of reasons and answers",)
    found: dict[str, str] = {}
    notes: list[str] = []
    for key, text in document.items():
        try:
            found |= match_answers(asked, {key: text})
        except AnswersError as error:
            notes.append(f"answers.json: {error}")
    return found, tuple(notes)


def _bad(what: str) -> MachineryError:
    return MachineryError(what, "Mend the test command; `signoff logs` shows what it printed.", is_retryable=False)

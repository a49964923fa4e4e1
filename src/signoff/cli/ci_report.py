"""What a CI job tells of its run: in its log, in its summary, to the jobs after it. Only `ci` needs it.

Text from elsewhere (comments, errors, names) goes into a log that GitHub obeys and a summary that is Markdown. So it
is one line each, obeyed by nobody, and without a mark that means something.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.cli.exits import Exit, exit_of_run
from signoff.cli.screen import clean
from signoff.cli.words import outlook, plain
from signoff.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from signoff.sdk.ci_job import CiJob
    from signoff.wire.runs import RunBody

DOTENV = "signoff.env"
LINKS = "signoff-links.json"
CHANGES_REQUESTED = "changes_requested"
_SAID = {"request_changes": "requested changes", "reject": "rejected it"}
_BAD = frozenset({"failed", "errored"})
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@:/=^$\"'])")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended for this job: in a sentence, with the reasons, and what to do."""

    exit: int
    headline: str
    reasons: tuple[str, ...] = ()
    advice: str = ""
    run: RunBody | None = None
    url: str = ""


def outcome_of(body: RunBody, url: str) -> Outcome:
    """The outcome of a run that goes no further by itself."""
    about = f"{body.model} v{body.version}" if body.version else body.model
    if body.status == "succeeded":
        where = [found.environment for found in body.deployments if found.status == "live"]
        live = f", live in {' and '.join(where)}" if where else ""
        return Outcome(Exit.DONE, f"{about} is {plain(body.model_status)}{live}.", run=body, url=url)
    advice = ""
    if body.status == CHANGES_REQUESTED:
        advice = f"The run waits for its next version: signoff resubmit {body.id} MODEL."
        headline = f"Changes were requested to {about}."
    else:
        headline = f"{about}: the run ended {plain(body.status)}."
    ended = Exit.RUN_FAILED if body.status == CHANGES_REQUESTED else exit_of_run(body.status)
    return Outcome(ended, headline, reasons(body), advice, body, url)


def gave_up(body: RunBody, url: str, why: str) -> Outcome:
    """The outcome of a run that this job no longer waits for."""
    waits = (outlook(body.waits_for),) if body.waits_for else ()
    advice = "The run goes on. Run this job again to go on waiting for it."
    return Outcome(Exit.GAVE_UP, why, waits, advice, body, url)


def reasons(body: RunBody) -> tuple[str, ...]:
    """Who said no and why, which checks failed, what broke: of the newest attempt, a line each."""
    found: list[str] = []
    for attempt in body.attempts[-1:]:
        for gate in attempt.gates:
            for said in gate.decisions:
                if said.verdict in _SAID and not said.is_withdrawn:
                    about = ", ".join(f"{r.kind}: {r.subject}" if r.subject else r.kind for r in said.reasons)
                    found.append(f"{said.by} {_SAID[said.verdict]}{f' ({about})' if about else ''}: {said.comment}")
        for step in attempt.steps:
            checks = step.evidence.checks if step.evidence is not None else []
            found += [f"{c.name}: {c.reason}" for c in checks if c.status == "failed" and c.severity != "warn"]
            if step.status in _BAD and (step.error or step.note):
                found.append(f"{step.name}: {step.error or step.note}")
    if body.error:
        found.append(body.error)
    return tuple(dict.fromkeys(line(text) for text in found))


def line(text: str) -> str:
    """`text` as one line that neither a terminal nor GitHub's runner obeys."""
    return clean(" ".join(text.split())).replace("##[", "# #[").replace("::", ":\N{ZERO WIDTH NON-JOINER}:")


class Report:
    """Where the job's words go. `said` is for people: stdout, or stderr where stdout is to hold one document."""

    def __init__(self, job: CiJob | None, *, is_json: bool, environment: Mapping[str, str] | None = None) -> None:
        self._system = job.system if job is not None else ""
        self._env = os.environ if environment is None else environment
        self._is_json = is_json

    def say(self, text: str) -> None:
        """A line of the log."""
        self._print(line(text))

    def link(self, about: str, url: str) -> None:
        """Where people find the run, as soon as there is one."""
        self._mark("notice", f"{about}: {url}")
        self._write("CI_PROJECT_DIR", LINKS, json.dumps({"signoff": [{"external_link": _link(about, url)}]}))

    def end(self, outcome: Outcome) -> None:
        """The outcome: in the log, as the summary, and as values for what comes after."""
        is_good = outcome.exit == Exit.DONE
        for reason in outcome.reasons:
            self.say(f"  {reason}")
        where = f" {outcome.url}" if outcome.url else ""
        self._mark("notice" if is_good else "error", f"{_sentence(outcome)}{where}")
        values = _values(outcome)
        self._append("GITHUB_STEP_SUMMARY", _summary(outcome))
        self._append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in values.items()))
        dotenv = "".join(f"MODEL_RUN_{name.upper()}={value}\n" for name, value in values.items())
        self._write("CI_PROJECT_DIR", DOTENV, dotenv)

    def _mark(self, kind: str, text: str) -> None:
        """An annotation where the system has them, else a line."""
        if self._system == "github":
            said = line(text).replace("%", "%25")
            self._print(f"::{kind} title=signoff::{said}")
        else:
            self.say(text)

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr if self._is_json else sys.stdout, flush=True)

    def _append(self, name: str, text: str) -> None:
        if self._system == "github" and self._env.get(name):
            _written(Path(self._env[name]), text, "a")

    def _write(self, folder: str, name: str, text: str) -> None:
        if self._system == "gitlab":
            _written(Path(self._env.get(folder) or ".") / name, text, "w")


def _written(file: Path, text: str, mode: str) -> None:
    try:
        with file.open(mode, encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}.", "Mend the path or its rights."
        ) from error


def _link(about: str, url: str) -> dict[str, str]:
    return {"label": line(about)[:100], "url": url}


def _sentence(outcome: Outcome) -> str:
    why = f" {outcome.reasons[0]}" if outcome.reasons else ""
    advice = f" {outcome.advice}" if outcome.advice else ""
    return f"{outcome.headline}{why}{advice}"


def _values(outcome: Outcome) -> dict[str, str]:
    """What later steps and jobs read: one line each."""
    run = outcome.run
    digest = next((a.digest for a in reversed(run.attempts) if a.digest), None) if run is not None else None
    state = run.status if run is not None else ""
    found = {
        "id": run.id if run is not None else "",
        "url": outcome.url,
        "state": state,
        "model": run.model if run is not None else "",
        "version": (run.version if run is not None else None) or "",
        "digest": digest or "",
        "exit": str(int(outcome.exit)),
    }
    return {name: "".join(clean(value).split()) for name, value in found.items()}


def _summary(outcome: Outcome) -> str:
    """The outcome as Markdown."""
    sign = "\N{WHITE HEAVY CHECK MARK}" if outcome.exit == Exit.DONE else "\N{CROSS MARK}"
    if outcome.exit == Exit.GAVE_UP:
        sign = "\N{HOURGLASS WITH FLOWING SAND}"
    parts = [f"### {sign} {_plain(outcome.headline)}"]
    parts += ["\n".join(f"- {_plain(reason)}" for reason in outcome.reasons)] if outcome.reasons else []
    parts += [_plain(outcome.advice)] if outcome.advice else []
    parts += [f"[Open it in signoff](<{_address(outcome.url)}>)"] if outcome.url else []
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """`text` for Markdown: nothing in it is a mark, a tag, a link or a mention."""
    escaped = line(text).replace("&", "&amp;").replace("<", "&lt;")
    return _MARKS.sub(r"\\\1", escaped)


def _address(url: str) -> str:
    return "".join(letter for letter in url if letter.isprintable() and letter not in "<>() \\")

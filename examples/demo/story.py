"""The story: trained, failed, trained again, sent back, approved, live, replaced, rolled back; each step checked."""

from __future__ import annotations

import csv
import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.stack import Stack
from demo.telling import StepError, Telling
from signoff.wire.evidence import MetricBody
from signoff.wire.runs import AttemptBody, DeploymentBody, RunBody

PHISHING = Path(__file__).resolve().parents[1] / "phishing"
MODEL = "phishing-detector"
LABEL = "is_phishing"
ATTEMPT_WITHIN_S = 240
LIVE_WITHIN_S = 120
POLL_S = 0.4
NEXT_IDEA = (
    "params: {features: address, max_depth: 2, trees: 60, cost_of_a_miss: 1}",
    "params: {features: page, max_depth: 4, trees: 120, cost_of_a_miss: 2}",
)
TOLD = {"run.submitted", "attempt.started", "gate.decided", "deployment.succeeded", "deployment.rolled_back"}


def play(stack: Stack, telling: Telling) -> str:
    """The whole story; the id of the run that is left waiting for the visitor."""
    telling.chapter("A machine of its own")
    stack.start()
    telling.happened(f"database, server and worker are up at {stack.url}, in the throw-away home {stack.home}")
    story = _Story(stack, telling)
    run, live, flagged = story.train_until_live()
    story.replace_and_roll_back(live, flagged)
    story.audit(run)
    story.what_if()
    return story.leave_one_waiting(live)


def expect(happened: object, what: str, run: str | None = None) -> None:
    """Raise StepError unless it happened."""
    if not happened:
        raise StepError(what, run)


class _Story:
    def __init__(self, stack: Stack, telling: Telling) -> None:
        self._stack = stack
        self._telling = telling
        self._client = stack.client("dave")  # whoever may only look sees everything that is told here
        with (PHISHING / "phishing.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self._labels = [int(row.pop(LABEL)) for row in rows]
        self._columns = list(rows[0])
        self._pages = [[float(value) for value in row.values()] for row in rows]

    def train_until_live(self) -> tuple[str, DeploymentBody, list[int]]:
        """Three attempts, and the third is approved and deployed."""
        tell, stack = self._telling, self._stack
        tell.chapter("Alice trains a detector of phishing pages; its check sends it back")
        begun = stack.ask("run", _shown(PHISHING / "signoff.yaml"), person="alice")
        run = str(begun["id"])
        body = self._until_waiting(run, attempt=2)
        first, second = body.attempts
        failed = [check for check in _evidence(first).checks if check.status == "failed" and check.severity != "warn"]
        expect(failed, "The check of v1 should have failed.", run)
        expect(second.cause == "check_failed", f"v2 was trained because of {second.cause}.", run)
        self._expect_answered(run, 2, "check accuracy > 0.85")
        expect(_metric(second, "accuracy").value > _metric(first, "accuracy").value, "v2 is no better than v1.", run)

        tell.chapter("Bob is asked")
        inbox = stack.ask("inbox", person="bob")
        expect([i for i in inbox["items"] if i["run"]["id"] == run and i["can_decide"]], "Bob's inbox is empty.", run)
        tell.happened(str(body.waits_for))
        for person in ("alice", "carol"):
            no = stack.signoff("approve", run, "--yes", person=person, refused=True)
            tell.refused(" ".join(no.err.removeprefix("error: ").split()))
        said = "we miss too many phishing pages"
        reason = ("--reason", "metric:recall", "-m", said)
        stack.signoff("request-changes", run, *reason, "--yes", person="bob")
        body = self._until_waiting(run, attempt=3)
        third = body.attempts[2]
        self._expect_answered(run, 3, f"bob: {said}")
        expect(_metric(third, "recall").value > _metric(second, "recall").value, "v3 misses no fewer pages.", run)
        tell.happened(f"recall went from {_words(_metric(second, 'recall'))} to {_words(_metric(third, 'recall'))}")
        note = third.gates[-1].note
        expect(
            "not sure that it is above 0.9" in note, f"The policy should not have been sure: {note or 'no word'}", run
        )
        tell.happened(note)
        looks = _evidence(third).test_set.looks
        expect(looks == 3, f"These pages were looked at three times, and {looks} are counted.", run)  # noqa: PLR2004

        tell.chapter("Bob approves exactly what he saw, and it goes live")
        live, flagged = self._approve(body)
        return run, live, flagged

    def replace_and_roll_back(self, former: DeploymentBody, flagged: list[int]) -> None:
        """A second run replaces the first one's version; the rollback brings that back."""
        tell, stack = self._telling, self._stack
        tell.chapter("Another version replaces it")
        file = ("-f", _shown(PHISHING / "signoff.yaml"))
        note = ("-m", "v3 raises more false alarms: v2 after all?")
        begun = stack.ask("submit", f"models:/{MODEL}/2", *file, *note, person="alice")
        body = self._until_waiting(str(begun["id"]), attempt=1)
        self._compared(body, former.version)
        _, others = self._approve(body)
        expect(others != flagged, "v2 and v3 predict the same: the version did not change.")
        now = self._client.get_deployment(former.id).status
        expect(now == "replaced", f"The former deployment is {now}, not replaced.")

        tell.chapter("Erin rolls back")
        why = "the phishing pages are back"
        back = stack.ask("rollback", "local", MODEL, "-m", why, person="erin")
        expect(back["version"] == former.version, f"It rolled back to v{back['version']}, not v{former.version}.")
        expect(back["digest"] == former.digest, "The rollback brought other bytes than were approved.")
        again = DeploymentBody.model_validate(back)
        tell.happened(f"v{again.version} is live again: {again.note}")
        expect(self._predict(again) == flagged, f"v{again.version} answers differently after the rollback.")

    def audit(self, run: str) -> None:
        """What is on record, in a few lines."""
        self._telling.chapter("All of it is on record")
        events = self._stack.ask("audit", "list", "--limit", "200", person="erin")["items"]
        told = [event for event in reversed(events) if event["type"] in TOLD]
        of_bob = [e for e in told if e["actor"] == "bob" and e["type"] == "gate.decided" and e["run_id"] == run]
        expect(len(of_bob) == 2, f"Bob decided twice about run {run}, and {len(of_bob)} are on record.")  # noqa: PLR2004
        for event in told:
            detail = event["detail"]
            words = [str(detail[name]) for name in ("verdict", "comment", "version", "environment") if detail.get(name)]
            line = f"{event['index']:>5}  {event['at'][11:19]}  {event['type']:<22} {event['actor']:<8}"
            self._telling.plain(f"{line} {', '.join(words)}".rstrip())

    def leave_one_waiting(self, former: DeploymentBody) -> str:
        """A run for the visitor to decide about."""
        self._telling.chapter("Alice has another idea, and this one waits for you")
        folder = self._stack.home / "alice" / "phishing"
        shutil.copytree(PHISHING, folder, ignore=shutil.ignore_patterns("__pycache__", "mlruns", "mlflow.db"))
        file = folder / "signoff.yaml"
        text = file.read_text(encoding="utf-8")
        expect(text.count(NEXT_IDEA[0]) == 1, "The parameters in signoff.yaml are not those that the demo knows.")
        file.write_text(text.replace(*NEXT_IDEA), encoding="utf-8")
        note = "shallower trees, but twice as many; a miss costs two false alarms"
        begun = self._stack.ask("run", str(file), "-m", note, person="alice")
        body = self._until_waiting(str(begun["id"]), attempt=1)
        self._compared(body, former.version)
        self._telling.happened(str(body.waits_for))
        return body.id

    def what_if(self) -> None:
        """A draft policy, tried on what was found out so far."""
        self._telling.chapter("Would 0.85 do for a policy? Ask the past before the future")
        draft = self._stack.home / "alice" / "draft.yaml"
        draft.parent.mkdir(parents=True, exist_ok=True)
        text = (PHISHING / "signoff.yaml").read_text(encoding="utf-8")
        draft.write_text(text.replace("auto_approve_if: accuracy > 0.9", "auto_approve_if: accuracy > 0.85"))
        found = self._stack.ask("policy", "replay", str(draft), person="erin")
        was, would = found["was"], found["would"]
        expect(was["people"] > would["people"] == 0, f"The draft would have asked people {would['people']} times.")
        self._telling.happened(
            f"of {found['attempts']} attempts so far {was['people']} went to people; the draft would have approved "
            f"{would['approved']} by itself and blocked {would['blocked']}"
        )

    def _compared(self, body: RunBody, champion: str) -> None:
        """The new version was held against the live one, page by page."""
        found = _evidence(body.attempts[-1])
        expect(found.champion_version == champion, f"It was compared with v{found.champion_version}.", body.id)
        difference = next((one.difference for one in found.comparisons if one.metric == "accuracy"), None)
        if difference is None:
            raise StepError("The two versions were not compared page by page.", body.id)
        words = f"{difference.value:+.3f} (95 %: {difference.low:+.3f} to {difference.high:+.3f})"
        version = body.attempts[-1].version
        self._telling.happened(f"v{version} against v{champion}, page by page: accuracy {words}")

    def _until_waiting(self, run: str, *, attempt: int) -> RunBody:
        """Tell what happens until the gate of attempt `attempt` waits for people."""
        said: set[str] = set()
        first = attempt if attempt != 2 else 1  # noqa: PLR2004
        deadline = time.monotonic() + ATTEMPT_WITHIN_S
        while time.monotonic() < deadline:
            self._stack.check()
            body = self._client.get_run(run)
            for told in body.attempts[first - 1 :]:
                for line, tell in self._lines(told):
                    if line not in said:
                        said.add(line)
                        tell(line)
            if body.status == "waiting" and body.attempt == attempt:
                return body
            if body.status not in {"running", "waiting"}:
                raise StepError(f"Run {run} is {body.status}: {body.error or 'no reason is known'}", run)
            expect(body.attempt <= attempt, f"Run {run} needed attempt {body.attempt}.", run)
            time.sleep(POLL_S)
        raise StepError(f"Run {run} did not reach its gate within {ATTEMPT_WITHIN_S} s.", run)

    def _lines(self, attempt: AttemptBody) -> list[tuple[str, Callable[[str], None]]]:
        """What is worth telling about an attempt so far."""
        tell, lines = self._telling, []
        for step in attempt.steps:
            if step.type == "training" and step.status == "succeeded" and attempt.version:
                lines.append((f"v{attempt.version} is trained", tell.happened))
            if step.type == "test" and step.evidence is not None and step.status in {"succeeded", "failed"}:
                told = ", ".join(f"{name} {_words(_metric(attempt, name))}" for name in ("accuracy", "recall"))
                count = _metric(attempt, "accuracy").n
                lines.append((f"v{attempt.version} on {count} held-out pages: {told}", tell.happened))
                failed = [c for c in step.evidence.checks if c.status == "failed" and c.severity != "warn"]
                lines += [(f"check failed, so it is trained again: {check.reason}", tell.refused) for check in failed]
        return lines

    def _expect_answered(self, run: str, attempt: int, what: str) -> None:
        """The training script was told why it runs again, and says so in its log."""
        log = self._client.get_log(run, "train", attempt=attempt).data.decode(errors="replace")
        line = next((line for line in log.splitlines() if line.startswith("answering ")), "")
        expect(what in line, f"The training of attempt {attempt} was not told why: {line or 'it says nothing'}", run)
        self._telling.happened(f"the script knew why it ran: {line}")

    def _approve(self, body: RunBody) -> tuple[DeploymentBody, list[int]]:
        """Bob approves the gate that waits, by its digest; the deployment once it is live, and what it predicts."""
        gate = body.attempts[-1].gates[-1]
        self._stack.signoff("approve", body.id, "--digest", gate.digest, person="bob")
        deadline = time.monotonic() + LIVE_WITHIN_S
        while (after := self._client.get_run(body.id)).status != "succeeded":
            self._stack.check()
            if after.status != "running" or time.monotonic() > deadline:
                raise StepError(f"Run {body.id} is {after.status}: {after.error or 'it is not live yet'}", body.id)
            time.sleep(POLL_S)
        live = [found for found in after.deployments if found.status == "live"]
        expect(len(live) == 1 and live[0].address, f"Run {body.id} has succeeded, but nothing of it is live.", body.id)
        subject = gate.subject
        expect(live[0].digest == subject.manifest_digest, "What is live is not what was approved.", body.id)
        self._telling.happened(f"approved and live: {MODEL} v{live[0].version} at {live[0].address}")
        return live[0], self._predict(live[0], gate.digest)

    def _predict(self, live: DeploymentBody, approved: str = "") -> list[int]:
        """What the live version says about every page, over HTTP, once it has said which one it is."""
        about = _http(f"{live.address}/version")
        same = about["version"] == live.version and about["digest"] == live.digest
        approval = about["approval"]
        expect(same and approval["run"] == live.run_id, f"{live.address}/version answers {about}.")
        gates = [gate["digest"] for gate in approval.get("gates", [])]
        expect(live.kind == "rollback" or gates == [approved], f"{live.address}/version names the approvals {gates}.")
        how = f", approved as {_short(approved)}" if approved else f", rolled back by {approval['rolled_back_by']}"
        which = f"v{about['version']}, bytes {_short(about['digest'])}, run {approval['run']}"
        self._telling.happened(f"GET {live.address}/version: {which}{how}")
        question = {"dataframe_split": {"columns": self._columns, "data": self._pages}}
        found = [int(value) for value in _http(f"{live.address}/invocations", question)["predictions"]]
        expect(len(found) == len(self._pages) and {0, 1} == set(found), "The predictions are not one for each page.")
        missed = sum(label > answer for label, answer in zip(self._labels, found, strict=True))
        alarms = sum(label < answer for label, answer in zip(self._labels, found, strict=True))
        self._telling.happened(
            f"POST {live.address}/invocations with all {len(found):,} pages: {sum(found)} are called phishing "
            f"({missed} missed, {alarms} false alarms)"
        )
        return found


def _evidence(attempt: AttemptBody) -> Any:
    return next(step.evidence for step in attempt.steps if step.type == "test" and step.evidence is not None)


def _metric(attempt: AttemptBody, name: str) -> MetricBody:
    found: MetricBody = next(metric for metric in _evidence(attempt).metrics if metric.name == name)
    return found


def _short(digest: str) -> str:
    return f"{digest[:19]}..."


def _words(metric: MetricBody) -> str:
    return f"{metric.value:.3f} (95 %: {metric.low:.3f} to {metric.high:.3f})"


def _shown(path: Path) -> str:
    """The path as somebody in the present folder would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _http(url: str, question: object = None) -> Any:
    data = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    # A proxy that the environment names is for other machines.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)

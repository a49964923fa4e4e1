"""The words of a notice: for each kind of event, what happened in a sentence, until when, and which page shows it."""

from __future__ import annotations

from collections.abc import Callable

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import Event
from signoff.domain.chat import question_of
from signoff.domain.deadlines import said
from signoff.domain.drift import SELF_HEAL
from signoff.domain.gate import Gate
from signoff.domain.notice import Notice
from signoff.domain.notifications import ASKING, Scene
from signoff.domain.pipeline import OnTimeout

_LONGEST_COMMENT = 500

_ENDED = {
    Event.RUN_SUCCEEDED: "is through",
    Event.RUN_FAILED: "failed",
    Event.RUN_REJECTED: "is rejected",
    Event.RUN_ERRORED: "could not go on: something broke",
    Event.RUN_EXPIRED: "expired: nobody answered in time",
    Event.RUN_CANCELLED: "was cancelled",
    Event.RUN_SUPERSEDED: "is superseded by a newer version",
    Event.RUN_CHANGES_REQUESTED: "waits for its submitter",
}

_VERDICTS = {"approve": "approved", "request_changes": "requested changes to", "reject": "rejected"}


def notice(scene: Scene, why: str = "") -> Notice:
    """What a reader is told of the event; `why` is why this reader."""
    kind = scene.event.type
    title, what, path, action = _of_kind(scene)
    until = _until(scene.gate) if kind in ASKING else ""
    if kind in {Event.GLASS_BROKEN, Event.GLASS_ESCALATED} and scene.event.detail.get("due_at"):
        until = f"It is to be reviewed by {scene.event.detail['due_at']}."
    ask = question_of(scene.gate) if scene.takes_chat and kind in ASKING and scene.gate is not None else ""
    return Notice(title, what, why, until, path, action, ask)


def subject(scene: Scene) -> str:
    """The subject of the mails of one thread: the same for everything about a run."""
    event, run = scene.event, scene.run
    if run is not None:
        return f"[signoff] {run.model}: {run.pipeline.name} (run {run.id[:6]})"
    if event.type is Event.CHAT_LINKED:
        return "[signoff] you in chats"
    if event.type in {Event.TARGET_PAUSED, Event.TARGET_TESTED}:
        return f"[signoff] target {event.detail.get('target', '')}"
    return f"[signoff] {event.model or 'signoff'}"


def data(scene: Scene, found: Notice) -> dict[str, object]:
    """The event for machines: what the audit log keeps of it, with the run's state and the words."""
    event, run = scene.event, scene.run
    about: dict[str, object] = {"actor": event.actor, "title": found.title, "path": found.path}
    if event.run_id is not None:
        about["run_id"] = event.run_id
    if event.model is not None:
        about["model"] = event.model
    if run is not None:
        version = run.attempt.version
        about |= {"pipeline": run.pipeline.name, "submitter": run.submitter, "attempt": run.attempt.number}
        about |= {"version": version.version, "digest": version.digest} if version is not None else {}
    if scene.asked:
        about["asked"] = sorted(scene.asked)
    hidden = {"credential", "request_id", "token"}
    about["detail"] = {name: value for name, value in event.detail.items() if name not in hidden}
    return about


def _of_kind(scene: Scene) -> tuple[str, str, str, str]:
    """Title, what happened, path and the name of the way there."""
    kind = scene.event.type
    if kind in ASKING:
        return _asking(scene)
    if kind in _ENDED:
        return _ended(scene)
    return _BY_NOUN[kind.partition(".")[0]](scene)


def _label(scene: Scene) -> str:
    """``fraud-detector v3``."""
    run, event = scene.run, scene.event
    version = run.attempt.version.version if run is not None and run.attempt.version is not None else None
    version = str(event.detail.get("version") or version or "")
    return f"{event.model} v{version}" if version else str(event.model)


def _run_path(scene: Scene) -> str:
    return f"/runs/{scene.event.run_id}" if scene.event.run_id is not None else "/runs"


def _asking(scene: Scene) -> tuple[str, str, str, str]:
    gate, run, kind = scene.gate, scene.run, scene.event.type
    label = _label(scene)
    title = {
        Event.GATE_OPENED: f"{label} waits for your approval",
        Event.GATE_REMINDED: f"Still waiting: {label} needs your approval",
        Event.GATE_ESCALATED: f"Escalated: {label} needs your approval",
        Event.GATE_RULES_CHANGED: f"{label} needs your approval, too",
    }[kind]
    parts = []
    if run is not None:
        parts.append(f"{run.submitter} submitted {label}" + (f": {_short(run.note)}" if run.note else "."))
    if gate is not None:
        target = gate.subject.environment
        parts.append(f"Step {gate.step} waits" + (f"; approved, it goes to {target}." if target else "."))
        if gate.note:
            parts.append(_short(gate.note))
    if kind is Event.GATE_ESCALATED:
        parts.append("Those who were asked first did not answer in time.")
    if kind is Event.GATE_RULES_CHANGED:
        parts.append(f"The rules of {scene.event.detail.get('environment')} changed.")
    path = f"{_run_path(scene)}/gates/{gate.step}" if gate is not None else _run_path(scene)
    return title, " ".join(parts), path, "Review it"


def _until(gate: Gate | None) -> str:
    if gate is None or gate.expires_at is None or gate.escalated_at is not None:
        return "There is no deadline."
    then = "others are asked too" if gate.on_timeout is OnTimeout.ESCALATE else "the run ends expired"
    return f"Until {said(gate.expires_at, gate.opened_at)}; then {then}."


def _decided(scene: Scene) -> tuple[str, str, str, str]:
    detail, label = scene.event.detail, _label(scene)
    verb = _VERDICTS.get(str(detail.get("verdict")), "decided about")
    absent = detail.get("on_behalf_of")
    who = f"{scene.event.actor} (for {absent})" if absent else scene.event.actor
    comment = _short(str(detail.get("comment") or ""))
    what = f"{who} {verb} {label} at step {detail.get('step')}." + (f" They say: {comment}" if comment else "")
    return f"{who} {verb} {label}", what, f"{_run_path(scene)}/gates/{detail.get('step')}", "Read it"


def _ended(scene: Scene) -> tuple[str, str, str, str]:
    run, kind, label = scene.run, scene.event.type, _label(scene)
    title = f"{label} {_ENDED[kind]}"
    reason = run.error if run is not None and run.error else scene.event.detail.get("why")
    what = f"{title}: {_short(str(reason))}" if reason else f"{title}."
    if kind is Event.RUN_CHANGES_REQUESTED:
        what = f"{title}, to submit another version or answer what was asked."
    return title, what, _run_path(scene), "Look at the run"


def _deployed(scene: Scene) -> tuple[str, str, str, str]:
    kind, detail, label = scene.event.type, scene.event.detail, _label(scene)
    if kind in {Event.DEPLOYMENT_UNAPPROVED, Event.DEPLOYMENT_RESTORED}:
        return _drifted(scene)
    place = detail.get("environment", "an environment")
    why = f" {_short(str(detail['why']))}" if detail.get("why") else ""
    title = {
        Event.DEPLOYMENT_SUCCEEDED: f"{label} is live in {place}",
        Event.DEPLOYMENT_FAILED: f"{label} could not be deployed to {place}",
        Event.DEPLOYMENT_REFUSED: f"{label} was not deployed to {place}: it is not what was approved",
        Event.DEPLOYMENT_ROLLED_BACK: f"{place} is rolled back to {label}",
    }[kind]
    by = f" {detail['by']} asked for it." if detail.get("by") not in {None, "system"} else ""
    return title, f"{title}.{why}{by}", _run_path(scene), "Look at the run"


def _drifted(scene: Scene) -> tuple[str, str, str, str]:
    """What runs is not what was signed off, or is again."""
    event, detail = scene.event, scene.event.detail
    place = detail.get("environment", "an environment")
    if event.type is Event.DEPLOYMENT_RESTORED:
        title = f"{event.model} in {place} is what was signed off again"
        by = "" if event.actor == SYSTEM.name else f" {_who_put_back(event.actor)}."
        return title, f"{_short(str(detail.get('why', '')))}.{by}".replace("..", "."), "/deployments", "Look at it"
    found = f"{event.model} v{detail['found']}" if detail.get("found") else f"no {event.model}"
    note = f" {detail['self_heal']}." if detail.get("self_heal") else ""
    what = f"{detail.get('sentence', '')}{note} {detail.get('hint', '')}"
    return f"Not signed off: {found} in {place}", what.strip(), "/deployments", "Look at deployments"


def _who_put_back(actor: str) -> str:
    return "The environment puts back what was signed off (self_heal)" if actor == SELF_HEAL else f"{actor} put it back"


def _adopted(scene: Scene) -> tuple[str, str, str, str]:
    detail, label = scene.event.detail, _label(scene)
    title = f"{label} in {detail.get('environment', 'an environment')} was adopted and is still not approved"
    why = f" {_short(str(detail['ending']))}." if detail.get("ending") else ""
    return (
        title,
        f"{detail.get('by')} adopted it: {_short(str(detail.get('why', '')))}.{why}",
        _run_path(scene),
        "Review it",
    )


def _approval(scene: Scene) -> tuple[str, str, str, str]:
    kind, detail, label = scene.event.type, scene.event.detail, _label(scene)
    if kind is Event.APPROVAL_EXPIRING:
        title = f"The approval of {label} expires soon"
        what = f"It stands until {detail.get('until')}; then it is asked for anew, and the model page says so."
        return title, what, _run_path(scene), "Look at the run"
    if kind is Event.APPROVAL_REVOKED:
        live = [str(place) for place in detail.get("live_in", ())]
        where = f" It is live in {', '.join(live)}." if live else ""
        title = f"The approval of {label} is revoked"
        return (
            title,
            f"{scene.event.actor} revoked it: {_short(str(detail.get('why', '')))}{where}",
            "/runs",
            "See runs",
        )
    again = f" Run {detail['reapproval']} asks for it anew." if detail.get("reapproval") else ""
    title = f"The approval of {label} has expired"
    return title, f"It was given for a limited time, which is over.{again}", _run_path(scene), "Look at the run"


def _emergency(scene: Scene) -> tuple[str, str, str, str]:
    kind, detail, label = scene.event.type, scene.event.detail, _label(scene)
    place, who = detail.get("environment", "an environment"), detail.get("requested_by", scene.event.actor)
    title = {
        Event.GLASS_REQUESTED: f"Emergency: {who} wants {label} in {place} without review",
        Event.GLASS_BROKEN: f"Emergency: {label} is live in {place} without review",
        Event.GLASS_FAILED: f"The emergency deployment of {label} to {place} failed",
        Event.GLASS_SETTLED: f"The emergency deployment of {label} to {place} is settled",
        Event.GLASS_ESCALATED: f"Emergency: {label} in {place} is still not reviewed",
        Event.GLASS_RETURNED: f"{place} went back from {label}, which was not reviewed",
        Event.GLASS_CANCELLED: f"The emergency deployment of {label} to {place} was called off",
    }[kind]
    confirmed = [str(name) for name in detail.get("confirmed_by", ())]
    parts = [f"{who} asked for it: {_short(str(detail.get('why', '')))}."]
    if confirmed:
        parts.append(f"Confirmed by {', '.join(confirmed)}.")
    if detail.get("ending"):
        parts.append(f"{_short(str(detail['ending']))}.")
    return title, " ".join(parts), "/deployments", "Look at deployments"


def _target(scene: Scene) -> tuple[str, str, str, str]:
    detail = scene.event.detail
    name = detail.get("target", "")
    if scene.event.type is Event.TARGET_TESTED:
        return f"A test of {name}", f"{scene.event.actor} tests whether {name} can be reached. It can.", "/", "Open"
    title = f"The target {name} is paused"
    what = f"{detail.get('why', '')} What is due for it waits: `signoff target resume {name}` once it is mended."
    return title, what.strip(), "/", "Open"


def _not_started(scene: Scene) -> tuple[str, str, str, str]:
    detail = scene.event.detail
    watched, why = detail.get("watched"), _short(str(detail.get("why", "")))
    by_hand = f"`signoff pipeline show {detail.get('pipeline')}` tells more."
    if scene.event.type is Event.PIPELINE_HELD:
        return f"New versions of {watched} wait", f"Nothing starts their review: {why} {by_hand}", "/runs", "Open"
    label = f"{watched} v{detail.get('version')}"
    what = f"{label} was registered, and cannot be reviewed: {why} {by_hand}"
    return f"{label} gets no review", what, "/runs", "Open"


def _linked(scene: Scene) -> tuple[str, str, str, str]:
    detail = scene.event.detail
    title = f"{detail.get('called')} in Slack is {detail.get('person')} from now on"
    what = "They can approve as you, where an environment takes approvals from a chat."
    return title, what, "/settings/notifications", "See who you are in chats"


def _short(text: str) -> str:
    """One line of it, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_COMMENT else f"{line[: _LONGEST_COMMENT - 1]}…"


_BY_NOUN: dict[str, Callable[[Scene], tuple[str, str, str, str]]] = {
    "gate": _decided,
    "deployment": _deployed,
    "approval": _approval,
    "glass": _emergency,
    "adoption": _adopted,
    "target": _target,
    "pipeline": _not_started,
    "chat": _linked,
}

"""Moments, spans and statuses in the words, signs and colours that every listing uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from signoff.cli.screen import safe

if TYPE_CHECKING:
    from signoff.wire.catalogue import VersionBody
    from signoff.wire.emergencies import EmergencyBody
    from signoff.wire.evidence import MetricBody
    from signoff.wire.runs import DeploymentBody, RunSummary

_SIGNS = {
    "pending": ("○", "dim"),
    "running": ("●", "cyan"),
    "submitted": ("●", "cyan"),
    "untrained": ("●", "cyan"),
    "retraining": ("●", "cyan"),
    "deploying": ("●", "cyan"),
    "waiting": ("◆", "yellow"),
    "in_review": ("◆", "yellow"),
    "open": ("◆", "yellow"),
    "changes_requested": ("↺", "yellow"),
    "uncertain": ("?", "yellow"),
    "succeeded": ("✔", "green"),
    "passed": ("✔", "green"),
    "approved": ("✔", "green"),
    "approve": ("✔", "green"),
    "deployed": ("✔", "green"),
    "live": ("✔", "green"),
    "failed": ("✘", "red"),
    "rejected": ("✘", "red"),
    "reject": ("✘", "red"),
    "request_changes": ("↺", "yellow"),
    "errored": ("!", "bold red"),
    "skipped": ("-", "dim"),
    "cancelled": ("-", "dim"),
    "expired": ("-", "dim"),
    "approval_expired": ("!", "yellow"),
    "revoked": ("!", "bold red"),
    "unhealthy": ("✘", "red"),
    "superseded": ("-", "dim"),
    "replaced": ("-", "dim"),
    "rolled_back": ("↩", "dim"),
    "restored": ("↩", "dim"),
    "adopted": ("!", "yellow"),
    "void": ("-", "dim"),
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def sign(status: str) -> str:
    """The sign of a status, coloured."""
    letter, style = _SIGNS.get(status, ("·", "default"))
    return f"[{style}]{letter}[/]"


def status(status: str) -> str:
    """A status in words, coloured."""
    _, style = _SIGNS.get(status, ("·", "default"))
    return f"[{style}]{safe(plain(status))}[/]"


def standing(about: RunSummary | VersionBody) -> str:
    """Where a model stands, for `sign` and `status`: what nobody answered is not what was approved once."""
    has_lapsed = about.model_status == "expired" and about.has_expired_approval
    return "approval_expired" if has_lapsed else about.model_status


def plain(status: str) -> str:
    """A status in words."""
    return status.replace("_", " ")


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long ago `moment` was."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return "just now" if seconds < 5 else f"{span(round(seconds))} ago"  # noqa: PLR2004


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    if seconds < 10 and seconds != int(seconds):  # noqa: PLR2004
        return f"{max(seconds, 0):.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= unit:
            count = int(seconds // unit)
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError(seconds)


def since(moment: datetime, now: datetime | None = None) -> str:
    """For how long something has been so."""
    return span(max(0, round(((now or datetime.now(UTC)) - moment).total_seconds())))


def moment(at: datetime) -> str:
    """A moment in the reader's own time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def minute(at: datetime) -> str:
    """A moment to come, to the minute, in the reader's own time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def version_of(run: RunSummary) -> str:
    """The model and version of a run."""
    return f"{safe(run.model)} v{safe(run.version)}" if run.version else safe(run.model)


def deployed(deployment: DeploymentBody) -> str:
    """The model and version of a deployment."""
    return f"{safe(deployment.model)} v{safe(deployment.version)}"


def kind(deployment: DeploymentBody) -> str:
    """Why something was deployed; of what was adopted, whether anybody has approved it since."""
    is_bare = deployment.adoption is not None and not deployment.adoption.is_approved
    words = safe(plain(deployment.kind))
    return f"[yellow]{words}, not approved[/]" if is_bare else words


def owed(emergency: EmergencyBody, now: datetime | None = None) -> str:
    """What is still to be done about a deployment without review, as short as a column wants it; rich markup."""
    review = f"run {safe(emergency.run_id or '?')}"
    if emergency.status == "deployed" and emergency.due_at is not None:
        seconds = (emergency.due_at - (now or datetime.now(UTC))).total_seconds()
        when = f"due in {_short(seconds)}" if seconds > 0 else f"overdue by {_short(-seconds)}"
        return f"[yellow]after-review {when}: {review}[/]"
    if emergency.status == "escalated":
        return f"[bold red]not reviewed, escalated: {review}[/]"
    return "[yellow]the former version is being brought back[/]" if emergency.status == "returning" else ""


def _short(seconds: float) -> str:
    whole = round(seconds)
    for unit, name in ((_HOUR, "h"), (_MINUTE, "min")):
        if whole >= unit:
            return f"{whole // unit} {name}"
    return f"{whole} s"


def number(value: float | str) -> str:
    """A metric's value, to four digits."""
    return value if isinstance(value, str) else f"{value:.4g}"


def interval(metric: MetricBody) -> str:
    """The interval of a metric, or nothing."""
    return "" if metric.low is None or metric.high is None else f"{number(metric.low)} to {number(metric.high)}"


def outlook(waits_for: str) -> str:
    """What a run waits for, as a sentence: a gate's own sentence stays, the rest begins with "Waits for"."""
    return waits_for if waits_for.endswith(".") else f"Waits for {waits_for}."


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, as short as a column wants it."""
    seconds = max(0, round(((now or datetime.now(UTC)) - moment).total_seconds()))
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def few(names: list[str]) -> str:
    """Some names, as short as a column wants them."""
    most = 2
    return ", ".join(names[:most]) + (f" +{len(names) - most}" if len(names) > most else "")


def joined(names: list[str]) -> str:
    """Names as a sentence lists them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}" if names else "nobody"

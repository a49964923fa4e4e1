"""What follows once the outside was told to deploy: waiting until it is healthy, or the way back."""

from __future__ import annotations

import time
from collections.abc import Callable

from signoff.adapters.deploy.saying import Saying
from signoff.domain.errors import CancelledError, HandedBackError, MachineryError, SignoffError, UnhealthyError
from signoff.domain.span import span
from signoff.ports import Release


def check_stop(release: Release) -> None:
    """Return while the deployment may go on.

    Raises:
        HandedBackError: the worker was told to stop; another one goes on.
        CancelledError: somebody else carries it out by now.
    """
    ended(release, release.should_stop() if release.should_stop is not None else None)


def ended(release: Release, word: str | None) -> None:
    """Raise what the word means by which something was ended; see `check_stop`."""
    if word == "stopped":
        raise HandedBackError(f"The worker was told to stop while {release.version.label} was deployed.")
    if word == "cancelled":
        raise CancelledError(f"The deployment of {release.version.label} was taken over.")


def wait_for_health(release: Release, saying: Saying, look: Callable[[float], str | None], pause: float) -> None:
    """Look again and again, for as long as the environment gives a new version; `pause` seconds in between.

    `look` gets the seconds that are left, and answers None, or why it is not healthy yet; empty when it cannot tell.

    Raises:
        UnhealthyError: it did not get healthy.
    """
    label = release.version.label
    patience = release.environment.deployer.health_timeout
    deadline = time.monotonic() + patience.total_seconds()
    said = "no answer came"
    while (why := look(deadline - time.monotonic())) is not None:
        said = why or said
        if time.monotonic() + pause >= deadline:
            raise UnhealthyError(
                f"{label} did not get healthy within {span(patience)}: {said}.",
                "`signoff logs` shows more.",
            )
        check_stop(release)
        time.sleep(pause)
    saying.say(f"{label} is healthy")


def gone_back(error: SignoffError, release: Release, saying: Saying, back: Callable[[], None] | None) -> SignoffError:
    """Go back to the former version by `back` (None: there is no way back); `error`, with what came of it.

    It never is one that is tried again by itself: under the same key the outside might say what it said before.
    """
    saying.say(error.what)
    what = f"{error.what}{_came_of(release, saying, back)}"
    if isinstance(error, UnhealthyError):
        return UnhealthyError(what, error.hint)
    return MachineryError(what, error.hint)


def _came_of(release: Release, saying: Saying, back: Callable[[], None] | None) -> str:
    former = release.former
    if back is None or not release.may_go_back:
        return ""
    if former is None:
        return " Nothing was live there before."
    saying.say(f"goes back to {former.label}")
    try:
        back()
    except (HandedBackError, CancelledError):
        raise
    except SignoffError as another:
        saying.say(another.what)
        return f" Going back to v{former.version} failed as well: {another.what}"
    return f" v{former.version} is back."

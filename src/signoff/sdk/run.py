"""`Run`: a run as a Python program follows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from signoff.sdk.client import Client
from signoff.sdk.errors import ApiError, ServerUnreachableError, WaitedTooLongError
from signoff.sdk.offer import choose_model
from signoff.wire.runs import ResubmitRequest, RunBody

ENDED = frozenset({"succeeded", "failed", "rejected", "errored", "expired", "cancelled", "superseded"})
"""States in which nothing happens by itself."""

POLL_S = 0.5
PATIENCE_S = 60.0
"""How long a server that answered before may stay silent while somebody waits: it may be restarting."""
_PASSING = frozenset({502, 503, 504})


class Run:
    """One run, as of the last `refresh`. Get one from `signoff.submit`, or with `Run.get`."""

    def __init__(self, client: Client, body: RunBody) -> None:
        self._client = client
        self.body = body

    @classmethod
    def get(cls, client: Client, run: str = "last") -> Self:
        """The run with this id, unique prefix of one, or the caller's last one."""
        return cls(client, client.get_run(run))

    @property
    def id(self) -> str:
        """Its id."""
        return self.body.id

    @property
    def state(self) -> str:
        """`running`, `waiting`, `changes_requested`, `succeeded`, `failed`, `rejected`, ... (see the reference)."""
        return self.body.status

    @property
    def model_status(self) -> str:
        """Where the model stands, in one word: `in_review`, `approved`, `deployed`, ..."""
        return self.body.model_status

    @property
    def model(self) -> str:
        """The registered model it is about."""
        return self.body.model

    @property
    def version(self) -> str | None:
        """The present version; None until one is trained."""
        return self.body.version

    @property
    def waits_for(self) -> str | None:
        """What it waits for, in words."""
        return self.body.waits_for

    @property
    def url(self) -> str:
        """Its address for people."""
        return self.body.url if "://" in self.body.url else f"{self._client.server}{self.body.url}"

    @property
    def has_ended(self) -> bool:
        """Whether nothing happens to it by itself any more."""
        return self.state in ENDED

    def __repr__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        return f"<Run {self.id}: {self.model}{version}, {self.state}>"

    def refresh(self) -> Self:
        """Ask the server how it stands now."""
        self.body = self._client.get_run(self.id)
        return self

    def changes(self, timeout: float | None = None, *, poll: float = POLL_S) -> Iterator[RunBody]:
        """The run now, and again each time it has changed, until it has ended.

        A server that stops answering is given a minute to come back.

        Raises:
            WaitedTooLongError: `timeout` seconds are over.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        yield self.body
        while not self.has_ended:
            left = poll if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise WaitedTooLongError(
                    f"The run is still {self.state.replace('_', ' ')} after {timeout:g} seconds.",
                    f"It goes on; see how it stands with `signoff show {self.id}`.",
                )
            time.sleep(min(poll, left))
            before = self.body
            self._refresh_patiently(deadline)
            if self.body != before:
                yield self.body

    def wait(self, timeout: float | None = None, *, poll: float = POLL_S) -> Self:
        """Return when it has ended, however; `state` says how. It may wait for people for weeks.

        Raises:
            WaitedTooLongError: `timeout` seconds are over.
        """
        for _ in self.changes(timeout, poll=poll):
            pass
        return self

    def logs(self, step: str, *, attempt: int | None = None) -> str:
        """Everything that the command of `step` has printed so far."""
        return b"".join(read_log(self._client, self.id, step, attempt=attempt)).decode("utf-8", errors="replace")

    def resubmit(
        self,
        model: str | Path | None = None,
        *,
        note: str = "",
        metrics: Mapping[str, Any] | None = None,
        answers: Mapping[str, str] | None = None,
    ) -> Self:
        """Give it the next version, when it waits for one (`changes_requested`), and answer the reviewers' reasons.

        `answers` maps the number of each reason (or ``kind:subject``) to what was done. Without `model` they are about
        the version that the run has.
        """
        claimed = None if metrics is None else dict(metrics)
        chosen = {} if model is None else choose_model(self._client, model)
        said = None if answers is None else dict(answers)
        request = ResubmitRequest(note=note, metrics=claimed, answers=said, **chosen)
        self.body = self._client.resubmit(self.id, request)
        return self

    def cancel(self) -> Self:
        """End it."""
        self.body = self._client.cancel(self.id)
        return self

    def retry(self) -> Self:
        """Do the step at which it errored again."""
        self.body = self._client.retry(self.id)
        return self

    def _refresh_patiently(self, deadline: float | None) -> None:
        silent_since = time.monotonic()
        pause = POLL_S
        while True:
            try:
                self.refresh()
            except (ServerUnreachableError, ApiError) as error:
                if isinstance(error, ApiError) and error.status not in _PASSING:
                    raise
                now = time.monotonic()
                if now - silent_since > PATIENCE_S or (deadline is not None and now >= deadline):
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                return


def read_log(
    client: Client,
    run: str,
    step: str,
    *,
    attempt: int | None = None,
    follow: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """The log of a step in parts; with `follow`, until the step has ended."""
    offset = 0
    while True:
        part = client.get_log(run, step, attempt=attempt, offset=offset)
        offset += len(part.data)
        if part.data:
            yield part.data
        if offset >= part.size or not part.data:
            if part.is_complete or not follow:
                return
            sleep(POLL_S)

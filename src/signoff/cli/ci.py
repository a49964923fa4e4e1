"""`signoff ci`: a CI job signs in by its id token, submits, waits, and tells its system how it ended.

GitHub's action and GitLab's template (`integrations/`) call nothing else. What the job gets for an id token is kept in
memory; when it is over after a quarter of an hour, the next id token is exchanged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.ci_report import CHANGES_REQUESTED, Outcome, Report, gave_up, outcome_of
from signoff.cli.exits import Exit, exit_of
from signoff.cli.files import DEFAULT_FILE
from signoff.cli.options import NOTHING, Common
from signoff.cli.screen import Screen
from signoff.cli.submitting import (
    FileOption,
    MetricsOption,
    NoteOption,
    read_metrics,
    read_pipeline,
    request_for,
    seconds_of,
)
from signoff.domain.errors import InvalidError, NotAuthenticatedError, SignoffError

if TYPE_CHECKING:
    from signoff.sdk.ci_job import CiJob
    from signoff.sdk.client import Client
    from signoff.wire.runs import RunBody, SubmitRequest

POLL_S = 2.0
_OVER = frozenset({"token_over", "not_authenticated"})
_FAILED = frozenset({"failed", "rejected", "errored", "expired", "cancelled", "superseded"})

SignIn = Callable[[], "Client"]


def ci(
    model: Annotated[
        str | None, Parameter(help="As for submit. Without it the pipeline's training step makes the version.")
    ] = None,
    /,
    *,
    file: FileOption = Path(DEFAULT_FILE),
    message: NoteOption = "",
    metrics: MetricsOption = None,
    wait: Annotated[bool, Parameter(negative="--no-wait", help="Wait for the run's end. Default.")] = True,
    timeout: Annotated[str, Parameter(metavar="TIME", help="Give up waiting after so long. Default: 50m.")] = "50m",
    audience: Annotated[
        str | None, Parameter(metavar="URL", help="What the id token is for. Default: the server's address.")
    ] = None,
    common: Common = NOTHING,
) -> int:
    """In a CI job: sign in as it, submit, wait, and end with a status, a link and the reasons."""
    from signoff.sdk.ci_job import ci_job

    job = ci_job()
    screen, report = Screen(common), Report(job, is_json=common.json)
    try:
        seconds = seconds_of(timeout)
        claimed = read_metrics(metrics)
        text, pipeline = read_pipeline(file, screen)
        sign_in = _sign_in(common, audience)
        client = sign_in()
        note = message or (job.about if job is not None else "")
        request = request_for(client, file, text, pipeline, screen, model=model, note=note, metrics=claimed)
        body = _submit(client, request, job)
        outcome = _follow(client, body, report, sign_in, seconds if wait else None)
    except SignoffError as error:
        report.end(Outcome(exit_of(error), error.what, advice=error.hint))
        raise
    report.end(outcome)
    if screen.is_json and outcome.run is not None:
        screen.document(outcome.run)
    return outcome.exit


def _sign_in(common: Common, audience: str | None) -> SignIn:
    """Makes a client each time it is called: with the token that was given, or for one more of the job's id tokens."""
    from signoff.cli.login import server_of
    from signoff.sdk.ci_job import id_tokens
    from signoff.sdk.connection import connect_as_nobody, connect_with
    from signoff.sdk.locate import setting
    from signoff.wire.machines import ExchangeRequest

    if common.person is not None:
        raise InvalidError("--as does not go with ci.", "A job submits by its id token, or with --token.")
    url = server_of(None, common)
    given = common.token or setting(os.environ, "SIGNOFF_TOKEN")
    tokens = iter((given,)) if given else None
    id_tokens_left = id_tokens(audience or url)

    def sign_in() -> Client:
        token = next(tokens if tokens is not None else id_tokens_left, None)
        if token is None and tokens is not None:
            raise NotAuthenticatedError("The token that was given is over.", "Give one that lasts as long as the job.")
        if token is None:
            raise NotAuthenticatedError(
                "The job has no further id token, and what it got for the last one is over.",
                "Name more of them (SIGNOFF_ID_TOKEN_2, ...), or wait for a shorter time.",
            )
        if tokens is not None:
            return connect_with(url, token)
        with connect_as_nobody(url) as nobody:
            made = nobody.machines.exchange(ExchangeRequest(id_token=token))
        return connect_with(url, made.secret)

    return sign_in


def _submit(client: Client, request: SubmitRequest, job: CiJob | None) -> RunBody:
    """Start the run; a job that is tried again finds the run that it started, unless that one came to nothing."""
    if job is None:
        return client.submit(request)
    shared, own = job.keys(request.model_dump_json())
    body = client.submit(request, idempotency_key=shared)
    return body if body.status not in _FAILED else client.submit(request, idempotency_key=own)


def _follow(client: Client, body: RunBody, report: Report, sign_in: SignIn, seconds: float | None) -> Outcome:
    """Tell of the run until it goes no further, or `seconds` are over; without them only that it has begun."""
    from signoff.sdk.errors import WaitedTooLongError
    from signoff.sdk.run import Run

    url = Run(client, body).url
    about = f"{body.model} v{body.version}" if body.version else body.model
    report.link(f"The run of {about}", url)
    if seconds is None:
        return Outcome(Exit.DONE, f"Run {body.id} of {about} has begun.", run=body, url=url)
    said: set[str] = set()
    seen = body
    try:
        for seen in _changes(client, body, sign_in, seconds):
            _tell(seen, report, said)
            if seen.status == CHANGES_REQUESTED:
                break
    except WaitedTooLongError as error:
        return gave_up(seen, url, error.what)
    except NotAuthenticatedError as error:
        return gave_up(seen, url, f"{error.what} {error.hint}")
    except KeyboardInterrupt:
        return gave_up(seen, url, "The job was stopped while it waited.")
    except SignoffError as error:
        # Most likely the server is away: what is known of the run is told all the same.
        return Outcome(exit_of(error), error.what, advice=error.hint, run=seen, url=url)
    return outcome_of(seen, url)


def _changes(client: Client, body: RunBody, sign_in: SignIn, seconds: float) -> Iterator[RunBody]:
    """The run each time it has changed, signed in anew whenever the credential is over."""
    from signoff.sdk.errors import ApiError
    from signoff.sdk.run import Run

    until = time.monotonic() + seconds
    run = Run(client, body)
    while True:
        try:
            yield from run.changes(max(until - time.monotonic(), 0.0), poll=POLL_S)
        except ApiError as error:
            if error.code not in _OVER:
                raise
            run = Run(sign_in(), run.body)
        else:
            return


def _tell(body: RunBody, report: Report, said: set[str]) -> None:
    from rich.text import Text

    from signoff.cli.waiting import lines_of

    for marked in lines_of(body, 1):
        if marked not in said:
            said.add(marked)
            report.say(Text.from_markup(marked).plain)

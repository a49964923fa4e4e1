"""The CI job that this program runs in: its id tokens, shown to a server instead of a stored secret, and what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from signoff.domain.errors import NotAuthenticatedError, UnavailableError
from signoff.sdk.locate import setting

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_OWN = "SIGNOFF_ID_TOKEN"
_MORE = ("_2", "_3", "_4")
_TIMEOUT_S = 20.0
_SHOWN = 12
"""Characters of a commit that are enough for people."""


@dataclass(frozen=True, slots=True)
class CiJob:
    """A CI job, in words for people, and as keys under which what it submits is known again.

    `about` and `shared` are the same when the job is tried again; `own` is this try's.
    """

    system: str
    about: str
    shared: str
    own: str

    def keys(self, request: str) -> tuple[str, str]:
        """Idempotency-Keys for sending `request`: of the job, and of this try of it."""
        return _key(self.shared, request), _key(self.own, request)


def ci_job(environment: Mapping[str, str] | None = None) -> CiJob | None:
    """The job of GitHub Actions or GitLab that this is; None elsewhere."""
    env = os.environ if environment is None else environment
    if env.get("GITHUB_ACTIONS") == "true":
        of = f"{env.get('GITHUB_REPOSITORY', '')}@{env.get('GITHUB_SHA', '')[:_SHOWN]}"
        run = f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/"
        run += env.get("GITHUB_RUN_ID", "")
        shared = f"{run} {env.get('GITHUB_JOB', '')}"
        return CiJob("github", f"{of}, {run}", shared, f"{shared} {env.get('GITHUB_RUN_ATTEMPT', '1')}")
    if env.get("GITLAB_CI") == "true":
        of = f"{env.get('CI_PROJECT_PATH', '')}@{env.get('CI_COMMIT_SHA', '')[:_SHOWN]}"
        run = env.get("CI_PIPELINE_URL", "")
        shared = f"{run} {env.get('CI_JOB_NAME', '')}"
        return CiJob("gitlab", f"{of}, {run}", shared, f"{shared} {env.get('CI_JOB_ID', '')}")
    return None


def id_token(audience: str, environment: Mapping[str, str] | None = None) -> str:
    """An id token for `audience`: GitHub Actions is asked for a fresh one; elsewhere SIGNOFF_ID_TOKEN holds it.

    Raises:
        NotAuthenticatedError: this is no job that has one.
        UnavailableError: GitHub did not give one.
    """
    return next(id_tokens(audience, environment))


def id_tokens(audience: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Id tokens for `audience`, each good for one exchange: GitHub gives as many as it is asked for.

    Elsewhere they are those of SIGNOFF_ID_TOKEN, SIGNOFF_ID_TOKEN_2 and so on, up to four.

    Raises:
        NotAuthenticatedError: this is no job that has one.
        UnavailableError: GitHub did not give one.
    """
    env = os.environ if environment is None else environment
    given = [setting(env, _OWN + more) for more in ("", *_MORE)]
    if any(given):
        yield from (token.strip() for token in given if token)
        return
    if _URL not in env or _TOKEN not in env:
        raise NotAuthenticatedError(
            "This is no CI job that has an id token.",
            "GitHub Actions: `permissions: {id-token: write}` on the job. "
            "GitLab: `id_tokens: {SIGNOFF_ID_TOKEN: {aud: ...}}`.",
        )
    while True:
        yield _of_github(env[_URL], env[_TOKEN], audience)


def _key(*words: str) -> str:
    return sha256("\n".join(words).encode()).hexdigest()


def _of_github(url: str, bearer: str, audience: str) -> str:
    import httpx2

    try:
        answer = httpx2.get(
            url,
            params={**httpx2.URL(url).params, "audience": audience},
            headers={"Authorization": f"bearer {bearer}"},
            timeout=_TIMEOUT_S,
        )
        found = answer.raise_for_status().json().get("value")
    except (httpx2.HTTPError, ValueError, AttributeError) as error:
        raise UnavailableError(
            f"GitHub gave no id token: {type(error).__name__}.", "Run the job again; its status page may say more."
        ) from error
    if not isinstance(found, str) or not found:
        raise UnavailableError("GitHub answered without an id token.", "Run the job again.")
    return found

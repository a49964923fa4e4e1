"""The id token of the CI job that this program runs in: what it shows to a server instead of a stored secret."""

from __future__ import annotations

import os
from collections.abc import Mapping

from signoff.domain.errors import NotAuthenticatedError, UnavailableError
from signoff.sdk.locate import setting

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_OWN = "SIGNOFF_ID_TOKEN"
_TIMEOUT_S = 20.0


def id_token(audience: str, environment: Mapping[str, str] | None = None) -> str:
    """An id token for `audience`: GitHub Actions is asked for a fresh one; elsewhere SIGNOFF_ID_TOKEN holds it.

    Raises:
        NotAuthenticatedError: this is no job that has one.
        UnavailableError: GitHub did not give one.
    """
    env = os.environ if environment is None else environment
    if given := setting(env, _OWN):
        return given.strip()
    if _URL in env and _TOKEN in env:
        return _of_github(env[_URL], env[_TOKEN], audience)
    raise NotAuthenticatedError(
        "This is no CI job that has an id token.",
        "GitHub Actions: `permissions: {id-token: write}` on the job. "
        "GitLab: `id_tokens: {SIGNOFF_ID_TOKEN: {aud: ...}}`.",
    )


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

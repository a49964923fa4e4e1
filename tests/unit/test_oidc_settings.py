"""SIGNOFF_OIDC_*: what is understood, and what is refused before anybody could sign in wrongly."""

from __future__ import annotations

import pytest

from signoff.domain.actor import Role
from signoff.domain.errors import ConfigurationError
from signoff.settings import read_settings

GIVEN = {"SIGNOFF_OIDC_ISSUER": "https://id.example.org", "SIGNOFF_OIDC_CLIENT_ID": "signoff"}


def test_without_an_issuer_there_is_no_single_sign_on() -> None:
    assert read_settings({}).oidc is None


def test_everything_is_read_and_the_secret_shows_nowhere() -> None:
    found = read_settings(
        {
            **GIVEN,
            "SIGNOFF_OIDC_CLIENT_SECRET": "hush",
            "SIGNOFF_OIDC_GROUPS_CLAIM": "groups",
            "SIGNOFF_OIDC_GROUPS": "ml-risk=risk, ml-leads=leads",
            "SIGNOFF_OIDC_NEW_PEOPLE": "viewer,submitter",
        }
    )
    assert found.oidc is not None
    assert found.oidc.admission.groups == {"ml-risk": "risk", "ml-leads": "leads"}
    assert found.oidc.admission.new_people == frozenset({Role.VIEWER, Role.SUBMITTER})
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"SIGNOFF_OIDC_CLIENT_ID": ""}, "SIGNOFF_OIDC_CLIENT_ID is not set"),
        ({"SIGNOFF_OIDC_ISSUER": ""}, "SIGNOFF_OIDC_ISSUER is not set"),
        ({"SIGNOFF_OIDC_SCOPES": "profile"}, "leaves out openid"),
        ({"SIGNOFF_OIDC_GROUPS": "a=b"}, "SIGNOFF_OIDC_GROUPS_CLAIM is not"),
        ({"SIGNOFF_OIDC_GROUPS": "a", "SIGNOFF_OIDC_GROUPS_CLAIM": "groups"}, "has 'a'"),
        ({"SIGNOFF_OIDC_NEW_PEOPLE": "owner"}, "is 'owner'"),
        ({"SIGNOFF_OIDC_NEW_PEOPLE": "viewer,admin"}, "make everybody an administrator"),
        ({"SIGNOFF_OIDC_CLIENT": "x"}, "is not a setting of signoff"),
    ],
)
def test_what_cannot_be_is_refused_at_start_up(more: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_settings({**GIVEN, **more})

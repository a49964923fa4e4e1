"""What a webhook has to be to be taken as a hint, and who may have made a version that a registry tells of."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from factories import ALICE, BOB, CAROL
from signoff.domain.actor import Directory
from signoff.domain.secret import Secret
from signoff.domain.trigger import HOOK_TOLERANCE, HookRefusedError, HookStaleError, check_hook, contributors

SHARED = "a shared secret"
SECRET = Secret(SHARED)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = b'{"entity": "model_version", "action": "created", "data": {"name": "fraud"}}'


def signed(body: bytes = BODY, *, at: datetime = NOW, secret: str = SHARED, **changes: str) -> dict[str, str]:
    sent = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"d-1.{sent}.".encode() + body, hashlib.sha256).digest()
    usual = {"id": "d-1", "timestamp": sent, "signature": f"v1,{base64.b64encode(digest).decode()}"}
    names = {"id": "x-mlflow-delivery-id", "timestamp": "x-mlflow-timestamp", "signature": "x-mlflow-signature"}
    return {names[name]: value for name, value in {**usual, **changes}.items()}


def test_mlflow_itself_signs_what_is_taken() -> None:
    from mlflow.webhooks.delivery import _generate_hmac_signature

    sent = str(int(NOW.timestamp()))
    theirs = _generate_hmac_signature(SHARED, "d-1", sent, BODY.decode())
    assert check_hook(SECRET, BODY, signed(signature=theirs), NOW) == "d-1"
    assert signed()["x-mlflow-signature"] == theirs


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(secret="another secret"),
        signed(BODY + b" "),
        signed(id="d-2"),
        signed(timestamp=str(int(NOW.timestamp()) + 1)),
        signed(signature=signed()["x-mlflow-signature"].replace("v1,", "v2,")),
        signed(signature=signed()["x-mlflow-signature"].removeprefix("v1,")),
        signed(signature="v1,"),
        signed(signature="v1,\u00e9"),
        signed(id=""),
        signed(id="d" * 201),
        signed(timestamp="\u0661"),
        {name: value for name, value in signed().items() if name != "x-mlflow-timestamp"},
    ],
    ids=range(13),
)
def test_what_is_not_signed_with_our_secret_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(HookRefusedError, match="is not signed with the secret of this server"):
        check_hook(SECRET, BODY, headers, NOW)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_webhook_of_another_time_is_refused_and_one_just_within_is_taken(sign: int) -> None:
    just, over = HOOK_TOLERANCE, HOOK_TOLERANCE + timedelta(seconds=1)
    assert check_hook(SECRET, BODY, signed(at=NOW + sign * just), NOW) == "d-1"
    with pytest.raises(HookStaleError, match="was sent at another time than now"):
        check_hook(SECRET, BODY, signed(at=NOW + sign * over), NOW)


def test_a_time_that_no_calendar_has_is_another_time() -> None:
    sent = "9" * 30
    digest = hmac.new(SECRET.reveal().encode(), f"d-1.{sent}.".encode() + BODY, hashlib.sha256).digest()
    headers = signed(timestamp=sent, signature=f"v1,{base64.b64encode(digest).decode()}")
    with pytest.raises(HookStaleError):
        check_hook(SECRET, BODY, headers, NOW)


def test_whom_the_registry_names_counts_by_account_and_by_mail_address() -> None:
    people = Directory.of([ALICE, replace(BOB, email="bob@example.org"), CAROL])
    assert contributors((), ["ALICE", "Bob@Example.org", "root"], people) == {"alice", "bob"}


def test_everybody_who_may_register_versions_counts_whoever_is_named() -> None:
    people = Directory.of([ALICE, replace(BOB, groups=frozenset({"makers"})), CAROL])
    assert contributors(["group:makers", "alice", "gone"], [], people) == {"alice", "bob"}

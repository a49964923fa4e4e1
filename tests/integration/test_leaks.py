"""No test of the suite may log a secret: `conftest` looks through what each one logged, and this looks at that."""

from __future__ import annotations

import logging

import pytest

from house import House, made
from issuer import rsa
from leaks import leaks, passwords_of
from signoff.service.credentials import DEVICE, LINK, new_secret

PASSWORD = "seven quiet herons wade"


@pytest.mark.parametrize("kind", ["token", "session", LINK, DEVICE])
def test_a_secret_of_ours_in_a_log_is_found_and_what_only_looks_like_one_is_not(kind: str) -> None:
    secret = new_secret(kind)
    assert leaks(f"answered path='/link?code={secret}' status=200") == [f"{secret[:12]}..."]
    other = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    assert leaks(f"answered path='/link?code={other}'") == []


def test_an_id_token_and_a_password_in_a_log_are_found() -> None:
    from joserfc import jwt

    token = jwt.encode({"alg": "RS256"}, {"iss": "https://ci.example"}, rsa("rsa-1"))
    assert len(leaks(f"refused token={token}")) == 1
    import sys

    assert list(passwords_of(sys.modules[__name__])) == [PASSWORD]
    assert leaks(f"given {PASSWORD!r}", [PASSWORD]) == ["seven quiet ..."]
    assert leaks("given [secret]", [PASSWORD]) == []


def test_what_is_looked_through_is_every_line_that_the_server_logs(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    made(house.as_("alice").get("/me"))
    assert any("answered" in record.getMessage() and "/api/v1/me" in record.getMessage() for record in caplog.records)
    assert logging.getLogger().getEffectiveLevel() <= logging.INFO

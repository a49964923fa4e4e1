"""What is secret shows in no log, no traceback and no text, unless somebody asks for it by name."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Iterator

import pytest
import structlog

from signoff.bootstrap.logs import configure_logs
from signoff.domain.errors import ConfigurationError
from signoff.domain.secret import HIDDEN, Secret, redacted
from signoff.service.credentials import DEVICE, LINK, new_secret
from signoff.settings import read_settings

WORD = "correct-horse-battery"
URL = f"postgresql://signoff:{WORD}@db.example:5432/signoff"


def test_a_secret_shows_its_text_only_when_asked_by_name() -> None:
    secret = Secret(WORD)
    shown = f"{secret} {secret!r} {secret!s} {secret:>40} {[secret]} { ({'a': secret}) }" + str(secret) + "%s" % secret  # noqa: UP031
    assert WORD not in shown
    assert secret.reveal() == WORD
    assert (secret == Secret(WORD), secret == Secret("x"), bool(Secret(""))) == (True, False, False)
    with pytest.raises(TypeError):
        json.dumps({"secret": secret})
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            leave(secret)


def test_settings_do_not_show_what_may_hold_a_password() -> None:
    names = ("SIGNOFF_DATABASE_URL", "SIGNOFF_MIGRATE_DATABASE_URL", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    settings = read_settings({"SIGNOFF_HOME": "/tmp/x", **dict.fromkeys(names, URL)})  # noqa: S108
    assert WORD not in f"{settings} {settings!r}"
    assert settings.database_url == Secret(URL)
    assert settings.mlflow_uri == URL


@pytest.mark.parametrize("kind", ["token", "session", LINK, DEVICE])
def test_our_own_secrets_are_taken_out_of_a_line(kind: str) -> None:
    secret = new_secret(kind)
    line = redacted(f"GET /link?code={secret}&x=1 failed for '{secret}'")
    assert secret not in line
    assert secret[12:] not in line
    assert line.endswith("&x=1 failed for 'signoff" + secret[7 : secret.index("_") + 1] + HIDDEN + "'")


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"no answer from {URL}", f"no answer from postgresql://signoff:{HIDDEN}@db.example:5432/signoff"),
        (f"host=db user=x password='{WORD} and more' dbname=y", f"host=db user=x password={HIDDEN} dbname=y"),
        (f"password={WORD}", f"password={HIDDEN}"),
        (f"Authorization: Bearer {WORD}", f"Authorization: Bearer {HIDDEN}"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl !", f"token eyJhbGciOiJSUzI1NiJ9.{HIDDEN} !"),
        ("models:/fraud/3 at http://localhost:8010/runs", "models:/fraud/3 at http://localhost:8010/runs"),
        ("the password of bob was set", "the password of bob was set"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_taken_out_and_the_rest_is_left(line: str, left: str) -> None:
    assert redacted(line) == left


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", ["human", "json"])
@pytest.mark.usefixtures("_logs_as_before")
def test_no_log_line_holds_a_secret_whoever_writes_it(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(log_format)
    token = new_secret("token")
    structlog.get_logger("signoff.x").info("came", database=Secret(URL), given=token, address=URL)
    logging.getLogger("library").warning("%s failed with %s", URL, token)
    try:
        raise ValueError(URL)  # noqa: TRY301
    except ValueError:
        structlog.get_logger("signoff.x").exception("broke", extra={"t": [token]})
        logging.getLogger("library").exception("broke")
    written = capsys.readouterr().err
    assert written.count("db.example") >= 4
    assert HIDDEN in written
    assert WORD not in written
    assert token not in written


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.0/8x", "*", "0.0.0.0/0", "::/0"])
def test_trusted_proxies_are_addresses_and_never_everybody(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="SIGNOFF_TRUSTED_PROXIES names"):
        read_settings({"SIGNOFF_HOME": "/tmp/x", "SIGNOFF_TRUSTED_PROXIES": f"10.0.0.7, {entry}"})  # noqa: S108


def test_trusted_proxies_are_read_from_a_list() -> None:
    env = {"SIGNOFF_HOME": "/tmp/x", "SIGNOFF_TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/24,::1"}  # noqa: S108
    assert read_settings(env).trusted_proxies == ("10.0.0.7", "10.1.0.0/24", "::1")
    assert read_settings({"SIGNOFF_HOME": "/tmp/x"}).trusted_proxies == ()  # noqa: S108

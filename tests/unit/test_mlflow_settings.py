"""Settings about MLflow: secrets show nowhere, and half an account is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from signoff.domain.errors import ConfigurationError
from signoff.settings import read_settings


def test_secrets_are_read_from_files_too_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("rings-the-bell\n")
    found = read_settings(
        {
            "SIGNOFF_MLFLOW_WEBHOOK_SECRET_FILE": str(tmp_path / "hook"),
            "SIGNOFF_STEP_MLFLOW_USERNAME": "trainer",
            "SIGNOFF_STEP_MLFLOW_PASSWORD": "the-trainers",
        }
    )
    assert found.hook_secret is not None
    assert found.hook_secret.reveal() == "rings-the-bell"
    assert found.step_mlflow is not None
    assert (found.step_mlflow[0], found.step_mlflow[1].reveal()) == ("trainer", "the-trainers")
    assert "rings-the-bell" not in repr(found)
    assert "the-trainers" not in repr(found)


def test_without_them_the_server_takes_no_hooks_and_scripts_take_the_workers_account() -> None:
    found = read_settings({})
    assert (found.hook_secret, found.step_mlflow) == (None, None)


@pytest.mark.parametrize(("given", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")])
def test_half_an_account_is_refused(given: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SIGNOFF_STEP_MLFLOW_{missing} is not set") as refusal:
        read_settings({f"SIGNOFF_STEP_MLFLOW_{given}": "x"})
    assert refusal.value.hint == "An account takes a name and a password."

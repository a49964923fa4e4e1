"""Settings that are numbers: what is understood, and what is refused before anything goes by it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signoff.domain.errors import ConfigurationError
from signoff.settings import read_settings


def test_people_are_told_a_week_before_an_approval_ends_unless_the_administrator_says_otherwise() -> None:
    assert read_settings({}).expiry_notice == timedelta(days=7)
    assert read_settings({"SIGNOFF_EXPIRY_NOTICE": "0.5"}).expiry_notice == timedelta(hours=12)


def test_longer_than_a_year_before_is_a_year() -> None:
    assert read_settings({"SIGNOFF_EXPIRY_NOTICE": "1e300"}).expiry_notice == timedelta(days=366)


@pytest.mark.parametrize("value", ["0", "-1", "a week", "inf", "nan"])
@pytest.mark.parametrize(("name", "unit"), [("SIGNOFF_EXPIRY_NOTICE", "days"), ("SIGNOFF_HEARTBEAT", "seconds")])
def test_what_is_no_length_of_time_is_refused(name: str, unit: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        read_settings({name: value})
    assert (refusal.value.what, refusal.value.hint) == (f"{name} is {value!r}.", f"Say a number of {unit} above zero.")

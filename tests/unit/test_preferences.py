"""When somebody is told, as a pure function of what they chose and of the moment."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.errors import InvalidError
from signoff.domain.preferences import DAYS, DEFAULT, Pace, Preferences, Urgency, WorkingHours, checked

MONDAY_NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds it
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])


def test_who_chose_nothing_is_told_at_once() -> None:
    assert DEFAULT.when(Urgency.SOON, "fraud", MONDAY_NOON) == MONDAY_NOON
    assert DEFAULT.when(Urgency.PATIENT, "fraud", MONDAY_NOON) == MONDAY_NOON
    assert not DEFAULT.gathers(Urgency.SOON)


def test_an_hourly_digest_comes_with_the_next_full_hour() -> None:
    hourly = Preferences(Pace.HOURLY)
    assert hourly.when(Urgency.SOON, None, MONDAY_NOON + timedelta(minutes=20)) == MONDAY_NOON + timedelta(hours=1)
    assert hourly.gathers(Urgency.SOON)


def test_a_daily_digest_comes_at_its_hour_on_the_persons_own_clock() -> None:
    daily = Preferences(Pace.DAILY, zone="Europe/Berlin", daily_at=8)
    assert daily.when(Urgency.SOON, None, MONDAY_NOON) == datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
    early = datetime(2026, 11, 2, 6, 59, tzinfo=UTC)
    assert daily.when(Urgency.SOON, None, early) == datetime(2026, 11, 2, 7, 0, tzinfo=UTC)


def test_daylight_saving_does_not_move_the_hour_on_the_wall() -> None:
    daily = Preferences(Pace.DAILY, zone="Europe/Berlin", daily_at=8)
    before = daily.when(Urgency.SOON, None, datetime(2026, 10, 24, 5, 0, tzinfo=UTC))
    after = daily.when(Urgency.SOON, None, datetime(2026, 10, 25, 5, 0, tzinfo=UTC))
    assert (before, after) == (datetime(2026, 10, 24, 6, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 0, tzinfo=UTC))


def test_off_and_muted_are_silent_but_for_emergencies() -> None:
    for silent in (Preferences(Pace.OFF), Preferences(muted=("fraud-*",))):
        assert silent.when(Urgency.SOON, "fraud-detector", MONDAY_NOON) is None
        assert silent.when(Urgency.PATIENT, "fraud-detector", MONDAY_NOON) is None
        assert silent.when(Urgency.NOW, "fraud-detector", MONDAY_NOON) == MONDAY_NOON
    assert Preferences(muted=("fraud-*",)).when(Urgency.SOON, "churn", MONDAY_NOON) == MONDAY_NOON


def test_a_reminder_waits_for_the_next_working_day() -> None:
    patient = Preferences(hours=WorkingHours(time(9), time(17)), zone="America/New_York")
    saturday = datetime(2026, 11, 7, 15, 0, tzinfo=UTC)
    assert patient.when(Urgency.PATIENT, None, saturday) == datetime(2026, 11, 9, 14, 0, tzinfo=UTC)
    assert patient.when(Urgency.SOON, None, saturday) == saturday


@given(MOMENTS, ZONES, st.sets(st.sampled_from(DAYS), min_size=1), st.integers(0, 22))
def test_a_reminder_is_never_early_never_lost_and_within_working_hours(
    at: datetime, zone: str, days: set[str], begins: int
) -> None:
    hours = WorkingHours(time(begins), time(begins + 1), tuple(days))
    chosen = Preferences(hours=hours, zone=zone)
    found = chosen.when(Urgency.PATIENT, None, at)
    assert found is not None
    assert at <= found <= at + timedelta(days=9)
    local = found.astimezone(chosen.clock)
    skipped = local.utcoffset() != (local - timedelta(hours=2)).utcoffset()  # an hour that the clocks jump over
    assert skipped or hours.since <= local.time() < hours.until
    assert skipped or DAYS[local.weekday()] in days


@given(MOMENTS, ZONES, st.sampled_from([Pace.HOURLY, Pace.DAILY]), st.integers(0, 23))
def test_a_digest_is_in_the_future_and_within_its_span(at: datetime, zone: str, pace: Pace, hour: int) -> None:
    found = Preferences(pace, zone=zone, daily_at=hour).when(Urgency.SOON, None, at)
    assert found is not None
    assert timedelta() < found - at <= timedelta(hours=1 if pace is Pace.HOURLY else 25)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Base"},
        {"daily_at": 24},
        {"hours": WorkingHours(time(17), time(9))},
        {"hours": WorkingHours(days=())},
        {"hours": WorkingHours(days=("someday",))},
        {"muted": [f"m{n}" for n in range(101)]},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    given_: dict[str, object] = {"muted": (), "hours": None, "zone": "UTC", "daily_at": 8, **wrong}
    with pytest.raises(InvalidError):
        checked(Pace.INSTANT, **given_)  # type: ignore[arg-type]

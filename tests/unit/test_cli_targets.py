"""`signoff target` and `signoff notify`, in words."""

from __future__ import annotations

import io
from typing import Any

import pytest

from fake_server import NOON, FakeServer, page
from signoff.wire.notifications import DeliveryBody, HoursBody, MadeTargetBody, PreferencesBody, TargetBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures


def a_target(**more: Any) -> dict[str, Any]:
    return {"name": "team", "kind": "chat", "url": "slack://...", "owner": "erin", "created_at": NOON, **more}


def a_delivery(**more: Any) -> DeliveryBody:
    values = {"id": "d1", "event": "gate.opened", "target": "mail", "title": "fraud v3 waits", "status": "sent"}
    return DeliveryBody(**{**values, "person": "bob", "made_at": NOON, "send_at": NOON, "answer": "250 OK", **more})


def test_targets_are_listed_with_what_they_hear_of_and_how_they_fare(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/targets"] = page(
        TargetBody(**a_target()),
        TargetBody(**a_target(name="hook", models=["fraud-*"], events=["run.*"], failures=3)),
        TargetBody(**a_target(name="mail", kind="mail", url="", paused_at=NOON, paused_why="it moves")),
    )
    lines = type_("target", "list").out.splitlines()
    assert "pipelines that name it" in lines[1]
    assert lines[1].rstrip().endswith("works")
    assert "run.* of fraud-*" in lines[2]
    assert "failed 3 times in a row" in lines[2]
    assert "paused: it moves" in lines[3]


def test_a_target_is_added_and_its_secret_shown_once(type_: Type, server: FakeServer) -> None:
    made = MadeTargetBody(**a_target(name="hook", kind="webhook", url="https://a.example"), secret="whsec_abc")
    server.routes["POST", "/targets"] = made
    said = type_("target", "add", "hook", "https://a.example/x", "--model", "fraud-*", "--event", "run.*")
    assert "whsec_abc" in said.out.split()
    assert server.body("POST", "/targets") == {
        "name": "hook",
        "kind": "webhook",
        "url": "https://a.example/x",
        "events": ["run.*"],
        "models": ["fraud-*"],
    }


def test_an_address_may_come_from_standard_input(
    type_: Type, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("slack://T1/B2/token\n"))
    server.routes["POST", "/targets"] = MadeTargetBody(**a_target())
    said = type_("target", "add", "team", "-")
    assert said.status == 0
    sent = server.body("POST", "/targets")
    assert (sent["url"], sent["kind"], sent["events"]) == ("slack://T1/B2/token", "chat", ["*"])
    assert "token" not in said.out


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://hooks.slack.com/services/T1/B1/token", "slack"),
        ("https://hooks.slack.com.example.org/services/T1/B1/token", "webhook"),
        ("http://hooks.slack.com/services/T1/B1/token", "webhook"),
        ("slack://T1/B2/token", "chat"),
    ],
)
def test_what_an_address_is_follows_from_how_it_looks(type_: Type, server: FakeServer, address: str, kind: str) -> None:
    server.routes["POST", "/targets"] = MadeTargetBody(**a_target(kind=kind))
    assert type_("target", "add", "team", address).status == 0
    assert server.body("POST", "/targets")["kind"] == kind


def test_a_test_waits_for_the_answer_and_says_it(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/targets/team/test"] = a_delivery(status="waiting", answer="")
    server.routes["GET", "/deliveries/d1"] = [a_delivery(status="waiting", answer=""), a_delivery()]
    said = type_("target", "test", "team")
    assert (said.status, said.out.strip()) == (0, "✔ team took it: 250 OK")
    server.routes["GET", "/deliveries/d1"] = a_delivery(status="waiting", tries=1, answer="421 busy")
    said = type_("target", "test", "team")
    assert (said.status, said.out.strip()) == (1, "✘ team: 421 busy")


def test_deliveries_show_whom_what_and_the_answer(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/deliveries"] = page(a_delivery())
    said = type_("target", "deliveries", "mail", "--state", "sent")
    for part in ("d1", "bob (mail)", "fraud v3 waits", "sent", "250 OK"):
        assert part in said.out
    (request,) = server.sent("GET", "/deliveries")
    assert dict(request.url.params) == {"target": "mail", "state": "sent", "limit": "50"}
    server.routes["GET", "/deliveries"] = page()
    assert type_("target", "deliveries").out.strip() == "Nothing was sent."


def test_pausing_resuming_removing_and_sending_again(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/targets/team/pause"] = TargetBody(**a_target(paused_at=NOON))
    server.routes["POST", "/targets/team/resume"] = TargetBody(**a_target())
    server.routes["DELETE", "/targets/team"] = page()
    server.routes["POST", "/deliveries/d1/redeliver"] = a_delivery(status="waiting")
    assert type_("target", "pause", "team", "-m", "it moves").status == 0
    assert server.body("POST", "/targets/team/pause") == {"why": "it moves"}
    assert type_("target", "resume", "team").out.strip() == "team is used again."
    assert type_("target", "remove", "team").out.strip() == "team is gone."
    assert type_("target", "redeliver", "d1").out.strip() == "d1 is sent again: fraud v3 waits"


def test_how_one_is_told_is_shown_and_changed_a_bit_at_a_time(type_: Type, server: FakeServer) -> None:
    present = PreferencesBody(pace="hourly", muted=["old-*"], zone="Europe/Berlin")
    server.routes["GET", "/me/notifications"] = present
    assert type_("notify").out.strip().startswith("You are told every full hour")
    assert server.sent("PUT", "/me/notifications") == []
    server.routes["PUT", "/me/notifications"] = PreferencesBody(hours=HoursBody())
    said = type_("notify", "--mute", "new-*", "--unmute", "old-*", "--hours", "08:00-16:30", "--days", "mon,tue")
    assert "Reminders wait for 09:00-17:00 on mon, tue, wed, thu, fri." in " ".join(said.out.split())
    assert server.body("PUT", "/me/notifications") == {
        "pace": "hourly",
        "muted": ["new-*"],
        "hours": {"since": "08:00:00", "until": "16:30:00", "days": ["mon", "tue"]},
        "zone": "Europe/Berlin",
        "daily_at": 8,
    }


def test_working_hours_can_be_given_up(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/me/notifications"] = PreferencesBody(hours=HoursBody())
    server.routes["PUT", "/me/notifications"] = PreferencesBody()
    assert type_("notify", "--hours", "any").status == 0
    assert "hours" not in server.body("PUT", "/me/notifications")  # what is not given is as if never chosen


@pytest.mark.parametrize(
    "words",
    [
        ("notify", "--pace", "sometimes"),
        ("notify", "--hours", "nine to five"),
        ("notify", "--days", "someday"),
        ("target", "add", "team", "slack://a", "--kind", "pigeon"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    type_: Type, server: FakeServer, words: tuple[str, ...]
) -> None:
    server.routes["GET", "/me/notifications"] = PreferencesBody()
    assert type_(*words).status == 2
    assert [request for request in server.seen if request.method != "GET"] == []

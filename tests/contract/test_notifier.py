"""One suite for every way to tell: the double, mail to a real mail server, signed webhooks, Apprise over HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from receivers import Mailbox, Receiver, a_mail_server, a_receiver
from signoff.adapters.notify.chat import ChatNotifier
from signoff.adapters.notify.mail import MailNotifier, read_server
from signoff.adapters.notify.memory import MemoryNotifier
from signoff.adapters.notify.slack import SlackNotifier
from signoff.adapters.notify.webhook import WebhookNotifier
from signoff.domain.errors import ConfigurationError, InvalidError, UnavailableError
from signoff.domain.notice import Message, Notice
from signoff.domain.secret import Secret
from signoff.domain.target import GoneError, RefusedError, Target, TargetKind
from signoff.outbound import Outbound
from signoff.ports import Notifier

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WEBHOOK_SECRET = "whsec_" + "QUJD" * 11

NOTICE = Notice(
    "fraud-detector v3 waits for your approval",
    "alice submitted <b>fraud-detector</b> v3.",
    "Your approval counts for risk.",
    "Until 24 November 09:00 UTC; then the run ends expired.",
    "/runs/abc123/gates/approve",
    "Review it",
)
MESSAGE = Message(
    id="d1",
    event="gate.opened",
    at=NOON,
    subject="[signoff] fraud-detector: fraud (run abc123)",
    notices=(NOTICE,),
    link_base="https://signoff.example.com",
    thread="abc123",
    to="bob@example.com",
    unsubscribe="https://signoff.example.com/api/v1/unsubscribe/word",
    data={"run_id": "abc123", "model": "fraud-detector"},
)


def a_target(kind: TargetKind, url: str = "", secret: str | None = None) -> Target:
    return Target("team", kind, "erin", NOON, Secret(url), Secret(secret) if secret else None)


@dataclass
class Case:
    """A notifier with its target, how many messages its receiver took, and how to make it fail."""

    notifier: Notifier
    target: Target
    taken: Callable[[], int]
    break_it: Callable[[], None]


def _memory() -> Iterator[Case]:
    double = MemoryNotifier()
    yield Case(double, a_target(TargetKind.CHAT), lambda: len(double.sent), lambda: double.dead.add("team"))


def _mail() -> Iterator[Case]:
    with a_mail_server() as box:
        notifier = MailNotifier(Secret(f"smtp://127.0.0.1:{box.port}"), "signoff.example.com")
        yield Case(notifier, a_target(TargetKind.MAIL), lambda: len(box.received), lambda: _refuse(box))


def _refuse(box: Mailbox) -> None:
    box.refuses_all = "421 closing down"


def _webhook() -> Iterator[Case]:
    with a_receiver() as receiver:
        notifier = WebhookNotifier(Outbound(), lambda: datetime.now(UTC))
        target = a_target(TargetKind.WEBHOOK, receiver.url, WEBHOOK_SECRET)
        yield Case(notifier, target, lambda: len(receiver.received), lambda: _answer(receiver, 503))


def _chat() -> Iterator[Case]:
    with a_receiver() as receiver:
        target = a_target(TargetKind.CHAT, f"json://127.0.0.1:{receiver.port}/hook")
        yield Case(ChatNotifier(), target, lambda: len(receiver.received), lambda: _answer(receiver, 500))


def _slack() -> Iterator[Case]:
    with a_receiver() as receiver:
        target = a_target(TargetKind.SLACK, f"http://127.0.0.1:{receiver.port}/services/T1/B1/token")
        notifier = SlackNotifier(Outbound(), can_answer=True)
        yield Case(notifier, target, lambda: len(receiver.received), lambda: _answer(receiver, 500))


def _answer(receiver: Receiver, status: int) -> None:
    receiver.status = status


CASES = {"memory": _memory, "mail": _mail, "webhook": _webhook, "chat": _chat, "slack": _slack}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with contextmanager(CASES[request.param])() as made:
        yield made


def test_each_message_arrives_and_is_answered(case: Case) -> None:
    with case.notifier.open(case.target) as send:
        answers = [send(MESSAGE), send(replace(MESSAGE, id="d2"))]
    assert case.taken() == 2
    assert all(answers)


def test_opening_alone_sends_nothing(case: Case) -> None:
    with case.notifier.open(case.target):
        pass
    assert case.taken() == 0


def test_what_does_not_get_through_says_so_in_one_line_without_the_address(case: Case) -> None:
    case.break_it()
    with case.notifier.open(case.target) as send, pytest.raises((UnavailableError, RefusedError)) as refused:
        send(MESSAGE)
    assert refused.value.what
    assert "://" not in refused.value.what
    assert "\n" not in refused.value.what


# Mail


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with a_mail_server() as made:
        yield made


def mailed(box: Mailbox, message: Message = MESSAGE, query: str = "") -> Any:
    with MailNotifier(Secret(f"smtp://127.0.0.1:{box.port}{query}"), "signoff.example.com").open(
        a_target(TargetKind.MAIL)
    ) as send:
        send(message)
    return box.received[-1][1]


def test_a_mail_says_the_three_facts_and_the_link_as_text_and_as_html(box: Mailbox) -> None:
    mail = mailed(box)
    parts = {part.get_content_type(): part.get_content() for part in mail.iter_parts()}
    assert list(parts) == ["text/plain", "text/html"]  # clients show the last that they know
    for text in parts.values():
        for fact in (NOTICE.title, NOTICE.why, NOTICE.until, "https://signoff.example.com/runs/abc123/gates/approve"):
            assert fact in text
    assert "<b>" in parts["text/plain"]
    assert "<b>" not in parts["text/html"]  # what people wrote is text, not markup
    assert "width=device-width" in parts["text/html"]


def test_mails_of_one_run_are_one_thread_and_a_repetition_is_the_same_mail(box: Mailbox) -> None:
    first, again, later = mailed(box), mailed(box), mailed(box, replace(MESSAGE, id="d2", event="gate.decided"))
    assert first["Message-ID"] == again["Message-ID"] == "<d1@signoff.example.com>"
    assert later["Message-ID"] != first["Message-ID"]
    threads = {(mail["References"], mail["In-Reply-To"], mail["Subject"]) for mail in (first, again, later)}
    assert threads == {("<run-abc123@signoff.example.com>",) * 2 + (MESSAGE.subject,)}


def test_mails_can_be_ended_with_one_click(box: Mailbox) -> None:
    mail = mailed(box)
    assert mail["List-Unsubscribe"] == f"<{MESSAGE.unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"List-Unsubscribe: <{MESSAGE.unsubscribe}>" in mail.as_string().splitlines()


def test_mail_comes_from_the_address_that_the_setting_names(box: Mailbox) -> None:
    assert mailed(box)["From"] == "signoff <signoff@signoff.example.com>"
    assert mailed(box, query="?from=ml@example.org")["From"] == "signoff <ml@example.org>"


def test_a_model_name_cannot_add_headers(box: Mailbox) -> None:
    mail = mailed(box, replace(MESSAGE, subject="[signoff] a\r\nBcc: dave@example.com"))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[signoff] a Bcc: dave@example.com"


def test_an_unknown_mailbox_is_final_and_others_still_get_theirs(box: Mailbox) -> None:
    box.unknown.add("gone@example.com")
    notifier = MailNotifier(Secret(f"smtp://127.0.0.1:{box.port}"), "signoff.example.com")
    with notifier.open(a_target(TargetKind.MAIL)) as send:
        with pytest.raises(RefusedError) as refused:
            send(replace(MESSAGE, to="gone@example.com"))
        send(MESSAGE)
    assert refused.value.is_final
    assert [to for to, _ in box.received] == ["bob@example.com"]


def test_a_mail_server_that_is_away_is_said_to_be() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        notifier = MailNotifier(Secret(f"smtp://127.0.0.1:{unused.getsockname()[1]}"), "signoff.example.com")
        with notifier.open(a_target(TargetKind.MAIL)) as send, pytest.raises(UnavailableError):
            send(MESSAGE)


def test_a_password_is_never_sent_in_the_clear_to_another_machine(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.adapters.notify.mail._LOOPBACK", frozenset[str]())
    notifier = MailNotifier(Secret(f"smtp://bob:secret@127.0.0.1:{box.port}"), "signoff.example.com")
    with notifier.open(a_target(TargetKind.MAIL)) as send, pytest.raises(UnavailableError, match="offers no TLS"):
        send(MESSAGE)
    assert box.received == []


@pytest.mark.parametrize(
    "url", ["http://a", "smtp://", "mail.example.com", "smtp://a:b:c", "smtp://a?from=", "smtp://a?colour=red"]
)
def test_a_setting_that_names_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SIGNOFF_SMTP_URL is no address of a mail server"):
        read_server(Secret(url), "localhost")


# Webhooks


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as made:
        yield made


def test_the_reference_library_verifies_what_a_webhook_sends(receiver: Receiver) -> None:
    notifier = WebhookNotifier(Outbound(), lambda: datetime.now(UTC))
    target = a_target(TargetKind.WEBHOOK, receiver.url, WEBHOOK_SECRET)
    with notifier.open(target) as send:
        send(MESSAGE)
    (request,) = receiver.received
    told = Webhook(WEBHOOK_SECRET).verify(request.body, request.headers)
    assert told["type"] == "gate.opened"
    assert told["timestamp"] == "2026-11-22T12:00:00+00:00"
    assert told["data"]["run_id"] == "abc123"
    assert told["data"]["url"] == "https://signoff.example.com/runs/abc123/gates/approve"
    assert request.headers["webhook-id"] == "d1"


def test_another_secret_or_another_body_does_not_verify(receiver: Receiver) -> None:
    notifier = WebhookNotifier(Outbound(), lambda: datetime.now(UTC))
    with notifier.open(a_target(TargetKind.WEBHOOK, receiver.url, WEBHOOK_SECRET)) as send:
        send(MESSAGE)
    (request,) = receiver.received
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUJE" * 11).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(WEBHOOK_SECRET).verify(request.body.replace(b"abc123", b"abc124"), request.headers)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 302
    notifier = WebhookNotifier(Outbound(), lambda: datetime.now(UTC))
    with (
        notifier.open(a_target(TargetKind.WEBHOOK, receiver.url, WEBHOOK_SECRET)) as send,
        pytest.raises(InvalidError, match="redirect"),
    ):
        send(MESSAGE)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(("kind", "status"), [("webhook", 410), ("slack", 410), ("slack", 404)])
def test_a_receiver_that_is_gone_says_so(receiver: Receiver, kind: str, status: int) -> None:
    receiver.status = status
    notifiers = {"webhook": WebhookNotifier(Outbound(), lambda: datetime.now(UTC))}
    notifier = notifiers.get(kind) or SlackNotifier(Outbound(), can_answer=False)
    target = a_target(TargetKind(kind), receiver.url, WEBHOOK_SECRET)
    with notifier.open(target) as send, pytest.raises(GoneError, match=f"HTTP {status}"):
        send(MESSAGE)


# Chat


def test_what_slack_calls_malformed_holds_up_no_other_message(receiver: Receiver) -> None:
    receiver.status = 400
    target = a_target(TargetKind.SLACK, receiver.url)
    with SlackNotifier(Outbound(), can_answer=True).open(target) as send, pytest.raises(RefusedError) as refused:
        send(MESSAGE)
    assert not refused.value.is_final


def test_a_message_to_slack_has_each_notice_with_its_link_and_asks_only_where_buttons_come_back(
    receiver: Receiver,
) -> None:
    asking = replace(NOTICE, ask="gate-1 sha256:abc")
    message = replace(MESSAGE, notices=(asking, NOTICE))
    target = a_target(TargetKind.SLACK, receiver.url)
    for can_answer in (True, False):
        with SlackNotifier(Outbound(), can_answer=can_answer).open(target) as send:
            send(message)
    asked, told = (json.loads(one.body)["blocks"] for one in receiver.received)
    assert [block["type"] for block in asked] == ["header", "section", "actions"] * 2
    assert [len(block["elements"]) for block in asked if block["type"] == "actions"] == [2, 1]
    assert [len(block["elements"]) for block in told if block["type"] == "actions"] == [1, 1]
    assert asked[2]["elements"][0]["url"] == "https://signoff.example.com/runs/abc123/gates/approve"
    assert asked[2]["elements"][1]["value"] == "gate-1 sha256:abc"
    assert NOTICE.until in asked[1]["text"]["text"]


def test_a_chat_message_is_plain_text_with_the_facts_and_the_link(receiver: Receiver) -> None:
    with ChatNotifier().open(a_target(TargetKind.CHAT, f"json://127.0.0.1:{receiver.port}/hook")) as send:
        send(MESSAGE)
    told = json.loads(receiver.received[0].body)
    assert told["title"] == NOTICE.title
    for fact in ("<b>fraud-detector</b>", NOTICE.why, NOTICE.until, "/runs/abc123/gates/approve"):
        assert fact in told["message"]


def test_an_address_that_no_service_has_is_refused() -> None:
    with (
        pytest.raises(InvalidError, match="none that Apprise knows"),
        ChatNotifier().open(a_target(TargetKind.CHAT, "nosuchservice://token")),
    ):
        pass

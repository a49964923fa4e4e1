"""Telling people by real workers: at once, once, and whatever happens to a worker or to somebody else's target."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from standardwebhooks import Webhook

from factories import BOB, CAST, ERIN, an_actor
from fault_scene import Scene, a_scene, kill, until
from receivers import Mailbox, a_mail_server, a_receiver
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.run import RunStatus
from signoff.domain.target import DeliveryStatus, TargetKind
from signoff.service.administration import apply_people
from signoff.service.targets import add_target, announce_mail
from signoff.store import deliveries

BOX = "bob@example.com"
MOST_SECONDS = 1.0
TRIES = 5


@contextmanager
def a_mailed_scene(root: Path, url: str, *others: Person) -> Iterator[tuple[Scene, Mailbox]]:
    """A scene in which everybody has an address, and a mail server."""
    with a_mail_server() as box, a_scene(root, url) as scene:
        people = [replace(person, email=f"{person.name}@example.com") for person in (*CAST, *others)]
        apply_people(scene.desk, an_actor(ERIN), Directory.of(people), {})
        (root / "smtp").write_text(f"smtp://127.0.0.1:{box.port}")
        announce_mail(scene.desk, is_configured=True)
        yield scene, box


def ends_of(scene: Scene, run_id: str) -> list[tuple[str, DeliveryStatus]]:
    with scene.desk.database.begin() as tx:
        found = deliveries.list_deliveries(tx, run_id=run_id)
    return sorted((one.event, one.status) for one in found)


def test_approvers_have_the_mail_within_a_second_of_the_gates_opening(tmp_path: Path, database_url: str) -> None:
    others = [Person(name, frozenset({Role.APPROVER})) for name in ("dora", "eve", "fay")]
    with a_mailed_scene(tmp_path, database_url, *others) as (scene, box):
        scene.worker()
        took = []
        for number in range(TRIES):
            run_id = scene.submit(f"m{number}", "approve", "deploy")
            until(lambda n=number: len(box.to(BOX)) > n, "bob has his mail")  # type: ignore[misc]
            arrived = time.time()
            gate = scene.wait(run_id, RunStatus.WAITING).open_gate
            assert gate is not None
            took.append(arrived - gate.opened_at.timestamp())
        assert min(took) < MOST_SECONDS, took


def test_a_worker_killed_between_deciding_and_sending_loses_nothing_and_sends_once(
    tmp_path: Path, database_url: str
) -> None:
    with a_mailed_scene(tmp_path, database_url) as (scene, box):
        scene.hold(f"mailing-{BOX}")
        first = scene.worker()
        run_id = scene.submit("m", "approve", "deploy")
        scene.wait_held(f"mailing-{BOX}")
        assert box.received == []
        kill(first)
        scene.free(f"mailing-{BOX}")
        scene.worker()
        until(lambda: bool(box.to(BOX)), "the mail arrives by another worker")
        scene.approve(run_id)
        scene.wait(run_id)
        until(lambda: len(box.to("alice@example.com")) == 2, "alice hears of the decision and of the end")
        assert len(box.to(BOX)) == 2  # that he was asked, and that it is live
        until(lambda: all(s is DeliveryStatus.SENT for _, s in ends_of(scene, run_id)), "every answer is kept")
        events = ["deployment.succeeded", "gate.decided", "gate.opened", "run.succeeded"]
        assert [event for event, _ in ends_of(scene, run_id)] == events


def test_a_worker_killed_between_sending_and_writing_it_down_sends_the_same_mail_again(
    tmp_path: Path, database_url: str
) -> None:
    with a_mailed_scene(tmp_path, database_url) as (scene, box):
        scene.hold(f"mailed-{BOX}")
        first = scene.worker()
        scene.submit("m", "approve", "deploy")
        scene.wait_held(f"mailed-{BOX}")
        kill(first)
        scene.free(f"mailed-{BOX}")
        scene.worker()
        until(lambda: len(box.to(BOX)) == 2, "it cannot know, and sends it again")
        assert len({mail["Message-ID"] for mail in box.to(BOX)}) == 1


def test_a_target_that_never_answers_delays_nobody_else(tmp_path: Path, database_url: str) -> None:
    with a_receiver() as slow, a_receiver() as quick, a_mailed_scene(tmp_path, database_url) as (scene, box):
        slow.holds.set()
        admin = an_actor(ERIN)
        hooks = {"slow": slow, "quick": quick}
        made = {
            name: add_target(scene.desk, admin, name, kind=TargetKind.WEBHOOK, url=to.url, models=["*"])
            for name, to in hooks.items()
        }
        scene.worker()
        run_id = scene.submit("m", "approve", "deploy")
        until(lambda: bool(slow.received), "the slow one is asked")
        until(lambda: bool(quick.received) and bool(box.to(BOX)), "the others have theirs", patience=3)
        secret = made["quick"].secret
        assert secret is not None
        told = Webhook(secret.reveal()).verify(quick.received[0].body, quick.received[0].headers)
        assert (told["type"], told["data"]["run_id"]) == ("gate.opened", run_id)
        assert told["data"]["asked"] == [BOB.name]
        slow.released.set()

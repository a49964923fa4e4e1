"""A house in which everybody has a mail address, and what was sent from it: for tests of telling people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from factories import CAST
from house import House, made
from signoff.domain.actor import Person
from signoff.domain.notice import Message
from signoff.domain.target import DeliveryStatus
from signoff.service.targets import announce_mail
from signoff.store import deliveries

ONE_OF_RISK = "steps: [{name: approve, type: approval, inputs: {approvers: ['group:risk']}}]\n"


def mailed(person: Person) -> Person:
    return replace(person, email=f"{person.name}@example.com")


def with_mail(house: House) -> House:
    """`house`, where everybody has a mail address and there is a mail server."""
    house.people(*(mailed(person) for person in CAST))
    announce_mail(house.desk, is_configured=True)
    return house


def sent(house: House, event: str | None = None) -> list[tuple[str, str]]:
    """(reader, event) of everything that was sent."""
    return [
        ((message.to or target).removesuffix("@example.com"), message.event)
        for target, message in house.notifier.sent
        if event in {None, message.event}
    ]


def to(house: House, name: str, event: str) -> Message:
    (found,) = [m for _, m in house.notifier.sent if m.to == f"{name}@example.com" and m.event == event]
    return found


def waiting(house: House) -> int:
    with house.database.begin() as tx:
        return len(deliveries.list_deliveries(tx, status=DeliveryStatus.WAITING))


def add_target(house: House, name: str = "team", **more: Any) -> dict[str, Any]:
    body = {"name": name, "kind": "chat", "url": "json://127.0.0.1/secret-token", **more}
    return made(house.as_("erin").post("/targets", body))

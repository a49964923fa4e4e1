"""How a person wants to be told: looked at and changed by themselves, and ended by the link in their mails."""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account_errors import LinkUnknownError
from signoff.domain.actor import Actor, Credential, actor_of
from signoff.domain.audit import Event
from signoff.domain.preferences import Pace, Preferences
from signoff.service.desk import Desk, happened
from signoff.store import people, preferences


def get_preferences(desk: Desk, actor: Actor) -> Preferences:
    """What the actor chose."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return preferences.get_preferences(tx, actor.name)


def set_preferences(desk: Desk, actor: Actor, chosen: Preferences) -> Preferences:
    """Keep what the actor chose about being told."""
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    changed = happened(
        Event.PREFERENCES_CHANGED,
        actor,
        desk.clock(),
        person=actor.name,
        pace=chosen.pace.value,
        muted=list(chosen.muted),
        zone=chosen.zone,
    )
    with desk.database.begin() as tx:
        preferences.set_preferences(tx, actor.name, chosen, audit=[changed])
    return chosen


def unsubscribe(desk: Desk, word: str) -> str:
    """Send no more mails to whoever the word in their link stands for; returns their name. Twice is harmless.

    The word is what allows it, and all that it allows; emergencies are still told.

    Raises:
        LinkUnknownError: nobody's mails hold this word.
    """
    with desk.database.begin() as tx:
        name = preferences.find_by_word(tx, word)
        person = people.get_directory(tx).people.get(name) if name is not None else None
        if name is None or person is None:
            raise LinkUnknownError("This link ends nobody's mails.", "`signoff notify` changes how you are told.")
        chosen = preferences.get_preferences(tx, name)
        if chosen.pace is not Pace.OFF:
            actor = actor_of(person, Credential.SESSION)
            about = {"person": name, "pace": Pace.OFF.value, "by": "the link in a mail"}
            changed = happened(Event.PREFERENCES_CHANGED, actor, desk.clock(), **about)
            preferences.set_preferences(tx, name, replace(chosen, pace=Pace.OFF), audit=[changed])
    return name


def check_word(desk: Desk, word: str) -> str:
    """Whose mails the word would end, without ending them; LinkUnknownError when nobody's."""
    with desk.database.read() as tx:
        name = preferences.find_by_word(tx, word)
    if name is None:
        raise LinkUnknownError("This link ends nobody's mails.", "`signoff notify` changes how you are told.")
    return name

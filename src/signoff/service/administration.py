"""What start-up does about people: importing a file where nobody is known, and the machine's own session files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor, Credential, Directory
from signoff.domain.audit import Event
from signoff.domain.errors import ConfigurationError
from signoff.domain.gate import Gate
from signoff.domain.satisfiability import never, unfillable
from signoff.service.credentials import fingerprint
from signoff.service.desk import Desk, happened
from signoff.store import gates, people, sessions, tokens
from signoff.store.database import Transaction


def apply_people(
    desk: Desk,
    actor: Actor,
    directory: Directory,
    credentials: Mapping[str, Mapping[Credential, str]],
    *,
    file_digest: str | None = None,
) -> bool:
    """Make `directory` the people there are, with these secrets; True when it changed something.

    `file_digest` is that of the people.yaml which they were imported from.

    Raises:
        ConfigurationError: a gate that waits could never be satisfied any more; the message names it.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    applied = happened(
        Event.PEOPLE_APPLIED, actor, at, people=sorted(directory.people), groups=sorted(directory.groups)
    )
    with desk.database.begin() as tx:
        former = people.lock_directory(tx, at=at)
        if former.people and former != directory:
            stuck = first_stuck(gates.list_open_gates(tx, limit=10_000), former, directory)
            if stuck is not None:
                raise ConfigurationError(stuck, "Keep enough approvers for it, or cancel its run first.")
        changed = people.set_directory(tx, directory, by=actor.name, at=at, audit=[applied])
        for person in former.people.keys() - directory.people.keys():
            sessions.revoke_sessions_of(tx, person, at=at)
            tokens.revoke_tokens_of(tx, person, at=at)
        if file_digest is not None:
            people.set_file_digest(tx, file_digest, at=at)
        _set_files(tx, credentials, "the file of a person", at)
    return changed


def present_people(desk: Desk, actor: Actor) -> tuple[Directory, str | None]:
    """Everybody the server knows, and the digest of the people.yaml that was imported; None when none was."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return people.get_directory(tx), people.find_file_digest(tx)


def replace_files(desk: Desk, actor: Actor, credentials: Mapping[str, Mapping[Credential, str]], *, place: str) -> None:
    """Let exactly these session and token files stand for their people, of those that `place` ever had.

    `place` is a folder of one machine: several servers on one database each have their own.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        kept = _hashes(credentials, Credential.SESSION), _hashes(credentials, Credential.TOKEN)
        sessions.end_local_sessions(tx, place=place, but=kept[0].values(), at=at)
        tokens.end_local_tokens(tx, place=place, but=kept[1].values(), at=at)
        _set_files(tx, credentials, place, at)


def _set_files(tx: Transaction, credentials: Mapping[str, Mapping[Credential, str]], place: str, at: datetime) -> None:
    sessions.set_local_sessions(tx, _hashes(credentials, Credential.SESSION), place=place, at=at)
    tokens.set_local_tokens(tx, _hashes(credentials, Credential.TOKEN), place=place, at=at)


def _hashes(credentials: Mapping[str, Mapping[Credential, str]], kind: Credential) -> dict[str, str]:
    return {name: fingerprint(known[kind]) for name, known in credentials.items() if kind in known}


def first_stuck(waiting: Sequence[Gate], former: Directory, following: Directory) -> str | None:
    """The first gate that `former` people could have satisfied and the `following` ones cannot, in words."""
    for gate in waiting:
        broken = unfillable(gate, following)
        if broken is not None and unfillable(gate, former) is None:
            return f"With these people: {never(gate, broken, following)}"
    return None

"""People with their credentials, as the administrator's file says, applied at start-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor, Credential, Directory
from signoff.domain.audit import Event
from signoff.domain.errors import ConfigurationError
from signoff.domain.gate import Gate
from signoff.domain.satisfiability import never, unfillable
from signoff.service.accounts import fingerprint
from signoff.service.desk import Desk, happened
from signoff.store import gates, people


def apply_people(
    desk: Desk, actor: Actor, directory: Directory, credentials: Mapping[str, Mapping[Credential, str]]
) -> bool:
    """Make `directory` the people there are, with these secrets; True when it changed something.

    Raises:
        ConfigurationError: a gate that waits could never be satisfied any more; the message names it.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    applied = happened(
        Event.PEOPLE_APPLIED, actor, at, people=sorted(directory.people), groups=sorted(directory.groups)
    )
    with desk.database.begin() as tx:
        former = people.get_directory(tx)
        if former.people and former != directory:
            stuck = _first_stuck(gates.list_open_gates(tx, limit=10_000), former, directory)
            if stuck is not None:
                raise ConfigurationError(stuck, "Keep enough approvers for it, or cancel its run first.")
        changed = people.set_directory(tx, directory, at=at, audit=[applied])
        people.remove_credentials(tx, except_people=directory.people)
        for person, known in credentials.items():
            for kind, secret in known.items():
                people.add_credential(tx, fingerprint(secret), person, kind, at=at)
    return changed


def _first_stuck(waiting: Sequence[Gate], former: Directory, following: Directory) -> str | None:
    """The first gate that `former` people could have satisfied and the `following` ones cannot, in words."""
    for gate in waiting:
        broken = unfillable(gate, following)
        if broken is not None and unfillable(gate, former) is None:
            return f"With these people: {never(gate, broken, following)}"
    return None

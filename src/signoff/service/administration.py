"""What the administrator's two files say, applied at start-up: people with their credentials, and environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor, Credential, Directory
from signoff.domain.audit import Event
from signoff.domain.environment import Environment
from signoff.domain.errors import ConfigurationError
from signoff.domain.gate import Gate, counting
from signoff.domain.matching import is_satisfiable
from signoff.service.accounts import fingerprint
from signoff.service.desk import Desk, happened
from signoff.store import gates, people
from signoff.store.environments import set_environments


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
        rules = (*gate.rules, *gate.environment_rules)
        before = {rule.name: counting(gate, rule, former) for rule in rules}
        after = {rule.name: counting(gate, rule, following) for rule in rules}
        broken = is_satisfiable(rules, after)
        if broken is not None and is_satisfiable(rules, before) is None:
            return (
                f"With these people the gate {gate.step} of run {gate.run_id} could never be approved: "
                f"{broken.name} needs {broken.required_approvals}, and {len(after[broken.name])} could give it."
            )
    return None


def apply_environments(desk: Desk, actor: Actor, environments: Mapping[str, Environment]) -> bool:
    """Make `environments` the ones there are; True when it changed something."""
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    applied = happened(Event.ENVIRONMENTS_APPLIED, actor, at, environments=sorted(environments))
    with desk.database.begin() as tx:
        return set_environments(tx, dict(environments), by=actor.name, at=at, audit=[applied])

"""Who may do what: the whole table, as the documentation states it, and its exceptions."""

from __future__ import annotations

import itertools

import pytest

from factories import ALICE, BOB, DAVE, ERIN, MODEL, an_actor
from signoff.domain.access import ALLOWED_ROLES, ANYTHING, NEEDS_SESSION, Do, Resource, authorize, why_not
from signoff.domain.actor import SYSTEM, Actor, Credential, Person, Role
from signoff.domain.errors import CannotDecideError, NotAllowedError

# The rules as documented, written down a second time on purpose: a change of the code alone fails here.
# v, s, p, u, a: viewer, submitter, approver, auditor, admin. An asterisk: a signed-in person only, never a token.
TABLE = """
    read         v s p u a
    validate     v s p u a
    submit         s
    resubmit       s
    cancel         s     a
    retry          s     a
    comment        s p u a
    decide           p     *
    withdraw         p     *
    roll_back        p   a *
    delegate         p   a *
    revoke           p   a *
    break_glass      p     *
    read_audit         u a
    administer           a *
"""
LETTERS = {"v": Role.VIEWER, "s": Role.SUBMITTER, "p": Role.APPROVER, "u": Role.AUDITOR, "a": Role.ADMIN}
ROWS = {Do(words[0]): set(words[1:]) for words in (line.split() for line in TABLE.strip().splitlines())}
ALLOWED = {(action, LETTERS[letter]) for action, letters in ROWS.items() for letter in letters - {"*"}}
SESSION_ONLY = {action for action, letters in ROWS.items() if "*" in letters}


def is_allowed(actor: Actor, action: Do, resource: Resource = ANYTHING) -> bool:
    """Whether `authorize` lets it pass; what it answers must agree with `why_not`."""
    said: tuple[str, str] | None = None
    try:
        authorize(actor, action, resource)
    except NotAllowedError as error:
        said = (error.what, error.hint)
    assert said == why_not(actor, action, resource)
    return said is None


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", list(Do))
def test_a_signed_in_person_may_do_what_the_table_says(action: Do, role: Role) -> None:
    actor = Actor("somebody", frozenset({role}), Credential.SESSION)
    assert is_allowed(actor, action, Resource(MODEL, "somebody")) == ((action, role) in ALLOWED)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", list(Do))
def test_a_token_may_do_the_same_but_for_what_needs_a_signed_in_person(action: Do, role: Role) -> None:
    actor = Actor("somebody", frozenset({role}), Credential.TOKEN)
    expected = (action, role) in ALLOWED and action not in SESSION_ONLY
    assert is_allowed(actor, action, Resource(MODEL, "somebody")) == expected


@pytest.mark.parametrize("action", [Do.DECIDE, Do.WITHDRAW])
@pytest.mark.parametrize("count", range(len(Role) + 1))
def test_a_token_never_decides_whatever_roles_its_owner_holds(action: Do, count: int) -> None:
    for roles in itertools.combinations(Role, count):
        actor = Actor("bob", frozenset(roles), Credential.TOKEN)
        with pytest.raises(CannotDecideError, match="An API token cannot"):
            authorize(actor, action, Resource(MODEL))


@pytest.mark.parametrize("credential", [Credential.SESSION, Credential.TOKEN])
@pytest.mark.parametrize("action", list(Do))
def test_somebody_without_a_role_may_do_nothing(action: Do, credential: Credential) -> None:
    assert not is_allowed(Actor("mallory", frozenset(), credential), action)


@pytest.mark.parametrize("action", list(Do))
def test_the_system_itself_may_do_everything(action: Do) -> None:
    assert is_allowed(SYSTEM, action, Resource(MODEL, "alice"))


@pytest.mark.parametrize("action", list(Do))
def test_one_role_that_may_is_enough(action: Do) -> None:
    for role in ALLOWED_ROLES[action]:
        actor = Actor("somebody", frozenset({role, Role.VIEWER}), Credential.SESSION)
        assert is_allowed(actor, action, Resource(MODEL, "somebody"))


@pytest.mark.parametrize("action", [Do.CANCEL, Do.RETRY])
def test_a_submitter_cancels_and_retries_their_own_runs_only_and_an_administrator_any(action: Do) -> None:
    mine, theirs = Resource(MODEL, "alice"), Resource(MODEL, "anna")
    assert is_allowed(an_actor(ALICE), action, mine)
    assert not is_allowed(an_actor(ALICE), action, theirs)
    assert is_allowed(an_actor(ERIN), action, theirs)
    refusal = why_not(an_actor(ALICE), action, theirs)
    assert refusal == (f"alice may not {action} a run that anna submitted.", "Ask anna or an administrator.")


@pytest.mark.parametrize("action", sorted(set(Do) - {Do.CANCEL, Do.RETRY}))
def test_whose_run_it_is_does_not_matter_for_anything_else(action: Do) -> None:
    for role in ALLOWED_ROLES[action]:
        actor = Actor("somebody", frozenset({role}), Credential.SESSION)
        assert is_allowed(actor, action, Resource(MODEL, "anna"))


NARROWED = {Do.SUBMIT, Do.RESUBMIT, Do.CANCEL, Do.RETRY, Do.COMMENT, Do.DECIDE, Do.WITHDRAW, Do.ROLL_BACK} | {
    Do.DELEGATE,
    Do.REVOKE,
    Do.BREAK_GLASS,
}


@pytest.mark.parametrize("action", list(Do))
def test_model_patterns_narrow_every_act_on_a_model_but_not_reading(action: Do) -> None:
    for role in ALLOWED_ROLES[action] - {Role.ADMIN}:
        actor = Actor("somebody", frozenset({role}), Credential.SESSION, ("fraud-*", "churn"))
        for model, is_covered in [("fraud-detector", True), ("churn", True), ("churn-2", False), ("pricing", False)]:
            expected = is_covered or action not in NARROWED
            assert is_allowed(actor, action, Resource(model, "somebody")) == expected, (role, model)


@pytest.mark.parametrize("action", list(Do))
def test_an_administrator_is_not_narrowed_by_model_patterns(action: Do) -> None:
    actor = Actor("erin", frozenset({Role.ADMIN}), Credential.SESSION, ("fraud-*",))
    assert is_allowed(actor, action, Resource("pricing")) == (Role.ADMIN in ALLOWED_ROLES[action])


def test_model_patterns_mind_upper_case() -> None:
    actor = Actor("alice", frozenset({Role.SUBMITTER}), Credential.TOKEN, ("fraud-*",))
    assert not is_allowed(actor, Do.SUBMIT, Resource("Fraud-detector"))


def test_a_refusal_says_why_and_what_would_help() -> None:
    assert why_not(an_actor(DAVE), Do.SUBMIT) == (
        "dave may not submit.",
        "It takes the role submitter; an administrator can give it.",
    )
    assert why_not(an_actor(DAVE), Do.ROLL_BACK) == (
        "dave may not roll back.",
        "It takes the role admin or approver; an administrator can give it.",
    )
    narrow = an_actor(Person("bob", BOB.roles, models=("churn",)))
    assert why_not(narrow, Do.DECIDE, Resource(MODEL)) == (
        "bob may not decide for fraud-detector.",
        "Their roles apply to churn; an administrator can widen that.",
    )


@pytest.mark.parametrize("action", list(Do))
def test_refused_decisions_have_a_code_of_their_own(action: Do) -> None:
    with pytest.raises(NotAllowedError) as refused:
        authorize(Actor("mallory", frozenset(), Credential.SESSION), action)
    decides = action in {Do.DECIDE, Do.WITHDRAW}
    assert refused.value.code == ("cannot_decide" if decides else "not_allowed")


def test_every_action_is_in_the_table() -> None:
    assert ROWS.keys() == set(Do) == ALLOWED_ROLES.keys()
    assert SESSION_ONLY == NEEDS_SESSION

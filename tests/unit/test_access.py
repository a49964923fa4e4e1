"""Who may do what: the whole table, as the documentation states it, and its exceptions."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from factories import ALICE, BOB, DAVE, ERIN, MODEL, an_actor
from signoff.domain.access import (
    ALLOWED_ROLES,
    ANYTHING,
    NEEDS_SESSION,
    SCOPES,
    Do,
    Resource,
    authorize,
    unknown_model,
    why_not,
)
from signoff.domain.actor import SYSTEM, Actor, Credential, Person, Role, Scope
from signoff.domain.errors import CannotDecideError, ModelNotFoundError, NotAllowedError

# The rules as documented, written down a second time on purpose: a change of the code alone fails here.
# v, s, p, u, a: viewer, submitter, approver, auditor, admin. An asterisk: a signed-in person only, never a token.
TABLE = """
    read         v s p u a
    validate     v s p u a
    submit         s
    resubmit       s
    register_pipelines s *
    remove_pipelines   s a *
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
    adopt                a *
    manage_account v s p u a *
    administer           a *
"""
LETTERS = {"v": Role.VIEWER, "s": Role.SUBMITTER, "p": Role.APPROVER, "u": Role.AUDITOR, "a": Role.ADMIN}
ROWS = {Do(words[0]): set(words[1:]) for words in (line.split() for line in TABLE.strip().splitlines())}
ALLOWED = {(action, LETTERS[letter]) for action, letters in ROWS.items() for letter in letters - {"*"}}
SESSION_ONLY = {action for action, letters in ROWS.items() if "*" in letters}
# What each scope lets a token do, likewise a second time; r, s, a, d: read, submit, audit, decide.
SCOPE_TABLE = """
    read         r s a d
    validate     r s
    submit         s
    resubmit       s
    cancel         s
    retry          s
    comment        s
    read_audit       a
    decide             d
    withdraw           d
"""
SCOPE_LETTERS = {"r": Scope.READ, "s": Scope.SUBMIT, "a": Scope.AUDIT, "d": Scope.DECIDE}
SCOPED = {
    (Do(w[0]), SCOPE_LETTERS[x]) for w in (line.split() for line in SCOPE_TABLE.strip().splitlines()) for x in w[1:]
}


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


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", list(Do))
def test_a_token_may_do_what_its_scope_says_but_for_what_needs_a_signed_in_person(
    action: Do, role: Role, scope: Scope
) -> None:
    actor = Actor("somebody", frozenset({role}), Credential.TOKEN, scopes=frozenset({scope}))
    expected = (action, role) in ALLOWED and action not in SESSION_ONLY and (action, scope) in SCOPED
    assert is_allowed(actor, action, Resource(MODEL, "somebody")) == expected


@pytest.mark.parametrize("action", list(Do))
def test_a_registered_pipeline_submits_within_its_registrars_rights_and_does_nothing_else(action: Do) -> None:
    actor = Actor("alice", frozenset(Role), Credential.PIPELINE, ("fraud-*",))
    assert is_allowed(actor, action, Resource(MODEL, "alice")) == (action in {Do.SUBMIT, Do.RESUBMIT})
    assert not is_allowed(replace(actor, roles=frozenset({Role.VIEWER})), action, Resource(MODEL, "alice"))


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("action", list(Do))
def test_a_token_marked_for_an_automation_decides_within_its_scope_and_its_persons_role(
    action: Do, scope: Scope
) -> None:
    marked = Actor("bob", frozenset({Role.APPROVER}), Credential.TOKEN, scopes=frozenset({scope}), automation="canary")
    may = (action, scope) in SCOPED and (action, Role.APPROVER) in ALLOWED
    assert is_allowed(marked, action, Resource(MODEL, "bob")) == may
    assert not is_allowed(replace(marked, roles=frozenset({Role.VIEWER})), Do.DECIDE, Resource(MODEL))


def test_a_token_without_the_scope_is_told_which_it_takes() -> None:
    actor = Actor("alice", frozenset({Role.SUBMITTER}), Credential.TOKEN, scopes=frozenset({Scope.READ}))
    assert why_not(actor, Do.SUBMIT, Resource(MODEL)) == (
        "This API token may not submit: its scopes are read.",
        "It takes a token with the scope submit.",
    )


PRIVATE = ("fraud-*",)


@pytest.mark.parametrize("credential", [Credential.SESSION, Credential.TOKEN])
@pytest.mark.parametrize("action", list(Do))
@pytest.mark.parametrize("patterns", [("*",), ("churn",), ("**", "churn-*")])
def test_who_is_not_named_hears_of_a_private_model_what_they_hear_of_any_name_that_is_nowhere(
    action: Do, credential: Credential, patterns: tuple[str, ...]
) -> None:
    actor = Actor("mallory", frozenset(Role) - {Role.ADMIN}, credential, patterns, PRIVATE)
    assert not actor.sees(MODEL)
    with pytest.raises((ModelNotFoundError, NotAllowedError, CannotDecideError)) as told:
        authorize(actor, action, Resource(MODEL, "mallory"))
    of_any = why_not(replace(actor, private=()), action, Resource(MODEL, "mallory"))
    nowhere = unknown_model(MODEL)
    assert (told.value.what, told.value.hint) == (of_any or (nowhere.what, nowhere.hint))
    assert isinstance(told.value, ModelNotFoundError) == (of_any is None)


@pytest.mark.parametrize("action", list(Do))
def test_a_private_model_is_as_any_other_for_who_is_named_and_for_administrators(action: Do) -> None:
    for role in Role:
        named = Actor("somebody", frozenset({role}), Credential.SESSION, ("*", "fraud-*"), PRIVATE)
        assert is_allowed(named, action, Resource(MODEL, "somebody")) == ((action, role) in ALLOWED)
    admin = Actor("erin", frozenset({Role.ADMIN}), Credential.SESSION, ("*",), PRIVATE)
    assert is_allowed(admin, action, Resource(MODEL)) == ((action, Role.ADMIN) in ALLOWED)


def test_a_model_that_is_not_private_is_seen_and_acted_on_as_before() -> None:
    actor = Actor("mallory", frozenset({Role.SUBMITTER}), Credential.SESSION, ("*",), PRIVATE)
    assert actor.sees("churn")
    assert is_allowed(actor, Do.SUBMIT, Resource("churn"))


def test_people_manage_their_own_account_only_and_administrators_anybodys() -> None:
    assert is_allowed(an_actor(DAVE), Do.MANAGE_ACCOUNT, Resource(owner="dave"))
    assert is_allowed(an_actor(ERIN), Do.MANAGE_ACCOUNT, Resource(owner="dave"))
    refusal = why_not(an_actor(DAVE), Do.MANAGE_ACCOUNT, Resource(owner="bob"))
    assert refusal == ("dave may not manage the account of bob.", "Ask bob or an administrator.")


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


@pytest.mark.parametrize("action", sorted(set(Do) - {Do.CANCEL, Do.RETRY, Do.MANAGE_ACCOUNT, Do.REMOVE_PIPELINES}))
def test_whose_run_it_is_does_not_matter_for_anything_else(action: Do) -> None:
    for role in ALLOWED_ROLES[action]:
        actor = Actor("somebody", frozenset({role}), Credential.SESSION)
        assert is_allowed(actor, action, Resource(MODEL, "anna"))


NARROWED = {
    Do.REGISTER_PIPELINES,
    Do.REMOVE_PIPELINES,
    Do.SUBMIT,
    Do.RESUBMIT,
    Do.CANCEL,
    Do.RETRY,
    Do.COMMENT,
    Do.DECIDE,
    Do.WITHDRAW,
    Do.ROLL_BACK,
} | {
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
    assert {(action, scope) for scope in Scope for action in SCOPES[scope]} == SCOPED

"""Invitations, resets and the first link: each is used once, in time, by the one it was made for."""

from __future__ import annotations

from threading import Thread

import pytest

from door_scene import GOOD, HERE, a_cheap_hash, code, sign_in, why, with_password  # noqa: F401 - fixtures
from house import House, refused
from signoff.domain.account_errors import (
    LinkUnknownError,
    PersonError,
    SessionOverError,
    SignInError,
)
from signoff.domain.actor import SYSTEM, Role
from signoff.service import accounts, people, sessions


def test_an_invitation_is_used_once(house: House) -> None:
    link = accounts.make_link(house.desk, house.actor("erin"), "bob")
    assert (link.link.purpose, link.link.person) == ("invite", "bob")
    assert link.url.startswith("http://testserver/link?code=signoffl_")
    assert accounts.find_link(house.desk, code(link)).person == "bob"
    secret = accounts.use_link(house.desk, code(link), GOOD, **HERE)
    assert sessions.authenticate(house.desk, secret).methods == ("link", "password")
    for use in (accounts.find_link, lambda desk, secret: accounts.use_link(desk, secret, GOOD)):
        with pytest.raises(LinkUnknownError) as refusal:
            use(house.desk, code(link))
        assert refusal.value.code == "link_unknown"
        assert why(refusal.value) == (
            "This link is not good any more: it was used, replaced by a newer one, or is too old. "
            "Ask an administrator for another one (`signoff user reset NAME`)."
        )
    assert code(link) not in str(house.events())


def test_a_link_is_used_by_one_of_those_who_try_at_the_same_time(house: House) -> None:
    secret = code(accounts.make_link(house.desk, house.actor("erin"), "bob"))
    outcomes: list[str] = []

    def use() -> None:
        try:
            accounts.use_link(house.desk, secret, GOOD, **HERE)
            outcomes.append("in")
        except LinkUnknownError:
            outcomes.append("out")

    threads = [Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["in", "out", "out", "out"]


def test_links_grow_old_are_replaced_and_die_with_their_person(house: House) -> None:
    erin = house.actor("erin")
    old = code(accounts.make_link(house.desk, erin, "bob"))
    house.clock.wait(days=8)
    replaced = code(accounts.make_link(house.desk, erin, "bob"))
    newest = code(accounts.make_link(house.desk, erin, "bob"))
    people.deactivate_person(house.desk, erin, "bob", force=True)
    for secret in (old, replaced, newest, "signoffl_x", house.secret("bob")):
        with pytest.raises(LinkUnknownError):
            accounts.use_link(house.desk, secret, GOOD)


def test_a_reset_ends_other_sessions_and_the_former_password(house: House) -> None:
    former = with_password(house, "bob")
    link = accounts.make_link(house.desk, house.actor("erin"), "bob")
    assert link.link.purpose == "reset"
    assert sign_in(house, "bob").name == "bob"
    accounts.use_link(house.desk, code(link), "another row of words", **HERE)
    with pytest.raises(SessionOverError):
        sessions.authenticate(house.desk, former)
    with pytest.raises(SignInError):
        sign_in(house, "bob")
    assert sign_in(house, "bob", "another row of words").name == "bob"


def test_nobody_but_an_administrator_makes_links(house: House) -> None:
    with house.unchanged():
        for who in ("alice", "bob", "dave"):
            refused(house.as_(who).post("/users/bob/link"), 403, "not_allowed")
        refused(house.as_("erin").post("/users/nobody/link"), 404, "person_unknown")


@pytest.fixture
def empty(house: House) -> House:
    """A server that knows nobody."""
    with house.database.begin() as tx:
        tx.exec_driver_sql("DELETE FROM documents WHERE name = 'people'")
    return house


def test_the_first_link_makes_an_administrator_and_there_is_no_second(empty: House) -> None:
    desk = empty.desk
    earlier, link = accounts.make_first_link(desk), accounts.make_first_link(desk)
    assert not accounts.has_administrator(desk)
    with pytest.raises(LinkUnknownError):
        accounts.use_link(desk, code(earlier), GOOD, name="zoe")
    for name in (None, "", "system", "System", "a/b", "a b", "x" * 101, "<script>"):
        with pytest.raises(PersonError):
            accounts.use_link(desk, code(link), GOOD, name=name)
    actor = sessions.authenticate(desk, accounts.use_link(desk, code(link), GOOD, name="zoe", **HERE))
    assert (actor.name, actor.roles) == ("zoe", frozenset({Role.ADMIN}))
    assert accounts.has_administrator(desk)
    assert accounts.make_first_link(desk) is None
    with pytest.raises(LinkUnknownError):
        accounts.use_link(desk, code(link), GOOD, name="mallory")
    assert [view.person.name for view in people.list_people(desk, SYSTEM)] == ["zoe"]


def test_a_first_link_is_good_for_nothing_once_an_administrator_can_sign_in(house: House) -> None:
    link = accounts.make_first_link(house.desk)
    with_password(house, "erin")
    with pytest.raises(LinkUnknownError):
        accounts.use_link(house.desk, code(link), GOOD, name="mallory")


def test_a_first_link_for_a_known_administrator_only_lets_them_choose_a_password(house: House) -> None:
    link = accounts.make_first_link(house.desk, "erin")
    actor = sessions.authenticate(house.desk, accounts.use_link(house.desk, code(link), GOOD, name="mallory", **HERE))
    assert actor.name == "erin"
    assert "mallory" not in [view.person.name for view in people.list_people(house.desk, SYSTEM)]


def test_the_first_administrator_keeps_the_roles_they_had_and_no_name_is_there_twice(house: House) -> None:
    link = accounts.make_first_link(house.desk)
    with pytest.raises(PersonError, match="Somebody is called bob already, give or take upper case"):
        accounts.use_link(house.desk, code(link), GOOD, name="BOB")
    actor = sessions.authenticate(house.desk, accounts.use_link(house.desk, code(link), GOOD, name="bob"))
    assert actor.roles == frozenset({Role.ADMIN, Role.APPROVER})

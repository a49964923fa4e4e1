"""The administrator's people and environments: applied with their credentials, and never so that a gate is stuck."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import structlog

from factories import ALICE, BOB, CAROL, CAST, DAVE, ERIN
from house import House, made, refused
from signoff.bootstrap.people import current_person, read_administration
from signoff.domain.actor import SYSTEM, Credential, Directory, Person, Role
from signoff.domain.errors import ConfigurationError, NotAllowedError, NotAuthenticatedError
from signoff.service.administration import apply_people
from signoff.service.credentials import is_well_formed, new_secret
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments
from signoff.service.people import deactivate_person, list_people
from signoff.service.sessions import authenticate
from signoff.settings import Settings

PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver], groups: [risk]}
"""


def settings(home: Path) -> Settings:
    return Settings(home=home)


def test_people_are_known_by_their_credentials_and_by_no_other(house: House) -> None:
    me = made(house.as_("bob").get("/me"))
    assert (me["name"], me["roles"], me["groups"], me["credential"]) == ("bob", ["approver"], ["risk"], "session")
    assert made(house.as_("bob", Credential.TOKEN).get("/me"))["credential"] == "token"
    for secret in (new_secret(Credential.SESSION), "signoff_nonsense", "", "x" * 5000):
        with pytest.raises(NotAuthenticatedError):
            authenticate(house.desk, secret)


def test_a_secret_is_kept_as_a_fingerprint_only(house: House) -> None:
    with house.database.begin() as tx:
        kept = str([*tx.exec_driver_sql("SELECT * FROM sessions"), *tx.exec_driver_sql("SELECT * FROM tokens")])
    assert "signoff_" not in kept
    assert "signoffs_" not in kept
    assert kept.count("the file of a person") == 2 * len(CAST)


def test_a_secret_with_a_slip_of_the_pen_is_refused_before_the_database_is_asked() -> None:
    secret = new_secret(Credential.TOKEN)
    assert is_well_formed(secret)
    assert not is_well_formed(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    assert not is_well_formed(secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:])


def test_who_is_removed_is_unknown_at_once(house: House) -> None:
    house.people(ALICE, CAROL, DAVE, ERIN)
    refused(house.as_("bob").get("/me"), 401, "not_authenticated")
    house.people(*CAST)
    made(house.as_("bob").get("/me"))


def test_who_is_inactive_is_unknown(house: House) -> None:
    house.people(ALICE, Person("bob", BOB.roles, is_active=False), CAROL, DAVE, ERIN)
    refused(house.as_("bob").get("/me"), 401, "not_authenticated")


def test_applying_the_same_people_again_changes_nothing(house: House) -> None:
    with house.unchanged():
        assert not apply_people(house.desk, SYSTEM, Directory.of(CAST), {})


def test_people_without_whom_a_gate_could_never_be_approved_are_refused(house: House) -> None:
    run_id = house.submit()
    with house.unchanged(), pytest.raises(ConfigurationError, match=f"gate approve of run {run_id} could never be"):
        house.people(ALICE, CAROL, DAVE, ERIN)
    with house.unchanged(), pytest.raises(ConfigurationError, match="could never be approved"):
        house.people(ALICE, Person("bob", frozenset({Role.VIEWER})), CAROL, DAVE, ERIN)
    made(house.as_("erin").post(f"/runs/{run_id}/cancel"))
    house.people(ALICE, CAROL, DAVE, ERIN)


@pytest.mark.parametrize("who", ["alice", "bob", "dave"])
def test_only_administrators_apply_people_and_environments(house: House, who: str) -> None:
    with house.unchanged():
        with pytest.raises(NotAllowedError):
            apply_people(house.desk, house.actor(who), Directory.of([ERIN]), {})
        with pytest.raises(NotAllowedError):
            apply_environments(house.desk, house.actor(who), {})


@pytest.fixture
def desk(house: House) -> Desk:
    """A server that knows nobody yet."""
    with house.database.begin() as tx:
        tx.exec_driver_sql("DELETE FROM documents WHERE name = 'people'")
    return house.desk


def test_the_files_are_applied_with_credentials_that_only_their_owner_reads(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    (tmp_path / "environments.yaml").write_text("environments: {canary: {deployer: {type: alias}}}\n")
    read_administration(settings(tmp_path), desk)
    folder = settings(tmp_path).credentials_folder
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["alice.session", "alice.token", "bob.session", "bob.token"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    actor = authenticate(desk, (folder / "bob.session").read_text().strip())
    assert (actor.name, actor.credential, actor.methods) == ("bob", Credential.SESSION, ("file",))
    (tmp_path / "environments.yaml").unlink()
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    read_administration(settings(tmp_path), desk)
    assert {path.name: path.read_text() for path in folder.iterdir()} == kept


def test_people_are_imported_once_and_commands_rule_afterwards(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    read_administration(settings(tmp_path), desk)
    (tmp_path / "people.yaml").write_text(PEOPLE.replace("bob", "mallory").replace("approver", "admin"))
    with structlog.testing.capture_logs() as logs:
        read_administration(settings(tmp_path), desk)
    assert any("people.yaml is not read any more" in line["event"] for line in logs)
    assert [view.person.name for view in list_people(desk, SYSTEM)] == ["alice", "bob"]
    with structlog.testing.capture_logs() as logs:
        (tmp_path / "people.yaml").write_text(PEOPLE)
        read_administration(settings(tmp_path), desk)
    assert logs == []


def test_a_session_file_that_was_taken_away_is_good_for_nothing_after_the_next_start(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    read_administration(settings(tmp_path), desk)
    file = settings(tmp_path).credentials_folder / "bob.session"
    stolen = file.read_text().strip()
    file.unlink()
    read_administration(settings(tmp_path), desk)
    with pytest.raises(NotAuthenticatedError, match=r"This session is over: it was ended\."):
        authenticate(desk, stolen)
    assert authenticate(desk, file.read_text().strip()).name == "bob"


def test_who_is_deactivated_has_no_session_file_after_the_next_start(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    read_administration(settings(tmp_path), desk)
    deactivate_person(desk, SYSTEM, "bob")
    read_administration(settings(tmp_path), desk)
    folder = settings(tmp_path).credentials_folder
    assert sorted(path.name for path in folder.iterdir()) == ["alice.session", "alice.token"]


def test_a_server_that_others_reach_leaves_no_session_files_of_others(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    read_administration(settings(tmp_path), desk)
    secret = (settings(tmp_path).credentials_folder / "bob.session").read_text().strip()
    read_administration(settings(tmp_path), desk, is_local=False)
    assert list(settings(tmp_path).credentials_folder.iterdir()) == []
    with pytest.raises(NotAuthenticatedError):
        authenticate(desk, secret)


def test_a_wrong_file_is_told_with_every_place_and_changes_nothing(desk: Desk, house: House, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE.replace("approver", "aprover").replace("submitter", "sub"))
    with house.unchanged(), pytest.raises(ConfigurationError) as refusal:
        read_administration(settings(tmp_path), desk)
    assert f"{tmp_path / 'people.yaml'}:2:" in refusal.value.what
    assert f"{tmp_path / 'people.yaml'}:3:" in refusal.value.what


def test_the_first_start_knows_whoever_starts_it(desk: Desk, tmp_path: Path) -> None:
    read_administration(settings(tmp_path), desk)
    (first,) = list_people(desk, SYSTEM)
    assert first.person == Person(current_person(), frozenset({Role.ADMIN, Role.SUBMITTER, Role.APPROVER}))
    assert not (tmp_path / "people.yaml").exists()

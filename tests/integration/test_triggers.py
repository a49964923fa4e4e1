"""New versions in the registry start the runs of registered pipelines: each once, in the registrar's name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from factories import ALICE, BOB, CAROL, CAST, DAVE, ERIN, MODEL
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.domain.actor import Credential, Role
from signoff.engine.tick import tick
from signoff.service import arrivals
from trigger_scene import ON_NEWS, arrive, register, run_ids


def test_a_new_version_starts_a_run_in_the_registrars_name(house: House) -> None:
    arrive(house)
    assert register(house)["seen"] == 1
    arrive(house, accuracy=0.93)
    house.tick()
    (run_id,) = filter(None, run_ids(house).values())
    run = house.run(run_id)
    assert (run["model"], run["version"], run["submitter"], run["status"]) == (MODEL, "2", "alice", "waiting")
    assert run["note"] == "fraud-detector v2 was registered in MLflow; MLflow does not say by whom."
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
    submitted = next(event for event in house.events(run_id) if event.type == "run.submitted")
    assert (submitted.detail["credential"], submitted.detail["started_by"]) == ("pipeline", "fraud")


def test_what_was_registered_before_gets_no_run_unless_it_is_asked_for(house: House) -> None:
    for _ in range(3):
        arrive(house)
    register(house)
    house.tick()
    assert run_ids(house) == {}
    register(house, since=2)
    assert list(run_ids(house)) == [2, 3]
    assert all(run_ids(house).values())


def test_a_model_that_is_not_there_yet_can_be_waited_for(house: House) -> None:
    assert register(house)["seen"] == 0
    arrive(house)
    house.tick()
    assert list(run_ids(house)) == [1]


def test_no_version_is_run_twice_however_often_and_by_however_many_it_is_looked_at(house: House) -> None:
    register(house)
    for _ in range(3):
        arrive(house)
    with ThreadPoolExecutor(6) as workers:
        started = [run for runs in workers.map(lambda _: arrivals.look(house.desk, "fraud"), range(6)) for run in runs]
    house.tick()
    register(house, since=1)
    assert len(started) == 3
    assert set(run_ids(house).values()) == set(started)
    assert len(made(house.as_("alice").get("/runs"))["items"]) == 3


def test_a_look_that_dies_between_two_versions_goes_on_where_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(house)
    arrive(house)
    arrive(house)
    settle, count = arrivals._settle, iter(range(9))

    def dies(*given: object) -> list[str]:
        if next(count) == 1:
            raise KeyboardInterrupt
        return settle(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(arrivals, "_settle", dies)
    with pytest.raises(KeyboardInterrupt):
        arrivals.look(house.desk, "fraud")
    monkeypatch.undo()
    house.tick()
    assert list(run_ids(house)) == [1, 2]
    assert len(made(house.as_("alice").get("/runs"))["items"]) == 2


def test_what_was_submitted_by_hand_or_trained_here_is_no_news(house: House) -> None:
    register(house)
    arrive(house)
    by_hand = house.submit(model=f"models:/{MODEL}/1")
    house.version()  # uploaded by somebody: signoff registered it itself
    house.tick()
    assert run_ids(house) == {1: by_hand, 2: None}


def test_an_outage_of_the_registry_delays_and_loses_nothing(house: House) -> None:
    register(house)
    arrive(house)
    house.registry.is_down = True
    house.tick()
    shown = made(house.as_("dave").get("/pipelines/fraud"))
    assert "did not answer" in shown["problem"]
    assert (shown["starts"], shown["seen"]) == ([], 0)
    house.registry.is_down = False
    house.tick()
    shown = made(house.as_("dave").get("/pipelines/fraud"))
    assert (shown["problem"], shown["seen"]) == (None, 1)
    assert "pipeline.held" not in house.types()


def test_versions_wait_while_the_registrar_may_not_submit(house: House) -> None:
    register(house)
    house.people(replace(ALICE, roles=frozenset({Role.VIEWER})), BOB, CAROL, DAVE, ERIN)
    arrive(house)
    house.tick()
    shown = made(house.as_("dave").get("/pipelines/fraud"))
    assert shown["problem"].startswith("alice may not submit.")
    assert house.types().count("pipeline.held") == 1
    made(house.as_("erin").post("/users/alice/deactivate", {"force": True}))
    house.tick()
    assert "alice, who registered fraud, is deactivated" in made(house.as_("dave").get("/pipelines/fraud"))["problem"]
    house.people(*CAST)
    house.tick()
    assert list(run_ids(house)) == [1]


def test_a_version_that_can_never_be_run_is_settled_with_the_reason_and_the_next_one_runs(house: House) -> None:
    register(house)
    arrive(house, by="bob")  # the only approver
    arrive(house)
    house.tick()
    first, second = reversed(made(house.as_("dave").get("/pipelines/fraud"))["starts"])
    assert (first["run"], first["named"]) == (None, ["bob"])
    assert "approve could never be approved" in first["why_not"]
    assert second["run"] is not None
    (refused_event,) = (event for event in house.events() if event.type == "pipeline.refused")
    assert refused_event.detail["version"] == 1
    house.people(*CAST, replace(DAVE, name="dan", roles=frozenset({Role.APPROVER})))
    register(house, ON_NEWS.replace("['bob']", "['bob', 'dan']"), since=1)
    assert list(run_ids(house)) == [2, 1]
    assert all(run_ids(house).values())


def test_a_file_that_fits_the_server_no_more_holds_versions_back_until_it_does(house: House) -> None:
    register(house)
    arrive(house)
    house.people(ALICE, CAROL, DAVE, ERIN)
    house.tick()
    assert "does not know bob" in made(house.as_("dave").get("/pipelines/fraud"))["problem"]
    register(house, ON_NEWS.replace("bob", "carol"))
    assert list(run_ids(house)) == [1]


def test_whoever_the_registry_names_does_not_approve(house: House) -> None:
    both = ON_NEWS.replace("['bob']", "['bob', 'carol']")
    house.people(ALICE, replace(BOB, email="Bob@Example.org"), CAROL, DAVE, ERIN)
    register(house, both)
    for named in ("CAROL", "bob@example.org", "somebody-else"):
        arrive(house, by=named)
    house.tick()
    first, second, third = (run or "" for run in run_ids(house).values())
    refused(house.says("carol", first, "approve"), 403, "cannot_decide")
    refused(house.says("bob", second, "approve"), 403, "cannot_decide")
    assert house.run(first)["note"].endswith("by CAROL, as MLflow says.")
    for who, run_id in (("bob", first), ("carol", second), ("carol", third)):
        house.decide(who, run_id, "approve")
        assert house.status(run_id) == "succeeded"


def test_whoever_may_register_versions_does_not_approve_whatever_the_registry_says(house: House) -> None:
    text = ON_NEWS.replace("{model_version: fraud-detector}", "{model_version: fraud-detector, made_by: ['bob']}")
    text = text.replace("approvers: ['bob']", "approvers: ['bob', 'carol']")
    assert register(house, text)["made_by"] == ["bob"]
    arrive(house, by="carol-or-so-bob-says")
    house.tick()
    (run_id,) = filter(None, run_ids(house).values())
    refused(house.says("bob", run_id, "approve"), 403, "cannot_decide")
    by_hand = house.submit(text, model=f"models:/{MODEL}/1")
    refused(house.says("bob", by_hand, "approve"), 403, "cannot_decide")
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_nobody_registers_what_its_own_makers_alone_could_approve(house: House) -> None:
    text = ON_NEWS.replace("{model_version: fraud-detector}", "{model_version: fraud-detector, made_by: ['bob']}")
    said = refused(house.as_("alice").post("/pipelines", {"pipeline": text}), 422, "unsatisfiable_rule")
    assert "approve could never be approved" in said


def test_who_may_register_and_remove(house: House) -> None:
    for who in ("bob", "dave", "erin"):
        refused(house.as_(who).post("/pipelines", {"pipeline": ON_NEWS}), 403, "not_allowed")
    token = house.as_("alice", Credential.TOKEN)
    refused(token.post("/pipelines", {"pipeline": ON_NEWS}), 403, "not_allowed")
    register(house)
    other = replace(ALICE, name="alan")
    house.people(*CAST, other)
    said = refused(house.as_("alan").post("/pipelines", {"pipeline": ON_NEWS}), 409, "pipeline_exists")
    assert "alice registered a pipeline called fraud." in said
    said = refused(
        house.as_("alan").post("/pipelines", {"pipeline": ON_NEWS.replace("fraud\n", "mine\n", 1)}),
        409,
        "pipeline_exists",
    )
    assert "fraud is started by new versions of fraud-detector already" in said
    said = refused(house.as_("alan").delete("/pipelines/fraud"), 403, "not_allowed")
    assert "alan may not remove a pipeline that alice registered." in said
    made(house.as_("erin").delete("/pipelines/fraud"))
    refused(house.as_("alice").delete("/pipelines/fraud"), 404, "pipeline_unknown")
    arrive(house)
    house.tick()
    assert made(house.as_("alice").get("/runs"))["items"] == []
    assert [kind for kind in house.types() if kind.startswith("pipeline.")] == [
        "pipeline.registered",
        "pipeline.removed",
    ]


def test_a_file_that_says_not_what_starts_it_is_refused(house: House) -> None:
    said = refused(house.as_("alice").post("/pipelines", {"pipeline": APPROVE_AND_DEPLOY}), 422, "bad_trigger")
    assert said == "signoff.yaml does not say what starts it. Add `on: {model_version: NAME}` to it."


def test_the_list_tells_the_newest_of_each(house: House) -> None:
    register(house)
    register(house, ON_NEWS.replace("name: fraud\n", "name: other\n").replace("fraud-detector", "churn"))
    for _ in range(2):
        arrive(house)
    house.tick()
    listed = made(house.as_("dave").get("/pipelines"))["items"]
    assert [(p["name"], [start["version"] for start in p["starts"]]) for p in listed] == [("fraud", [2]), ("other", [])]


def test_a_look_takes_on_so_many_and_the_next_one_the_rest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "_AT_ONCE", 2)
    register(house)
    for _ in range(3):
        arrive(house)
    assert [len(arrivals.look(house.desk, "fraud")) for _ in range(3)] == [2, 1, 0]


def test_a_pipeline_of_a_private_model_is_unknown_to_others(house: House) -> None:
    register(house)
    made(house.as_("erin").ask("PUT", "/private-models", json={"private": ["fraud-*"]}))
    assert made(house.as_("dave").get("/pipelines"))["items"] == []
    refused(house.as_("dave").get("/pipelines/fraud"), 404, "pipeline_unknown")
    refused(house.as_("bob").delete("/pipelines/fraud"), 404, "pipeline_unknown")
    assert [p["name"] for p in made(house.as_("erin").get("/pipelines"))["items"]] == ["fraud"]


def test_the_tick_asks_for_one_look_at_a_time(house: House) -> None:
    register(house)
    for _ in range(3):
        house.clock.wait(minutes=1)
        tick(house.machinery)
    looks = [arguments for task, arguments in house.take_jobs() if task == "signoff.look"]
    assert looks == [{"pipeline": "fraud"}]


def test_versions_of_another_model_are_copied_into_the_one_that_is_deployed(house: House) -> None:
    text = ON_NEWS.replace("{model_version: fraud-detector}", "{model_version: fraud-detector-dev}")
    register(house, text.replace("name: fraud\n", "name: fraud\nmodel: fraud-detector\n"))
    arrive(house, "fraud-detector-dev", accuracy=0.93)
    house.tick()
    (run_id,) = filter(None, run_ids(house).values())
    run = house.run(run_id)
    assert (run["model"], run["version"]) == (MODEL, "1")
    house.decide("bob", run_id, "approve")
    champion = house.registry.alias(MODEL, "champion")
    assert champion is not None
    assert (champion.version, champion.metrics) == ("1", {"accuracy": 0.93})
    assert champion.digest == house.registry.resolve("models:/fraud-detector-dev/1", None).digest
    house.tick()
    assert house.registry.newest(MODEL) == 1


def test_a_version_submitted_by_hand_is_copied_likewise_and_its_makers_are_remembered(house: House) -> None:
    text = ON_NEWS.replace("{model_version: fraud-detector}", "{model_version: fraud-detector-dev}")
    text = text.replace("name: fraud\n", "name: fraud\nmodel: fraud-detector\n")
    arrive(house, "fraud-detector-dev")
    first = house.submit(text, model="models:/fraud-detector-dev/1")
    second = house.submit(text, model="models:/fraud-detector-dev/1")
    assert [house.run(run)["version"] for run in (first, second)] == ["1", "1"]
    register(house, text, since=1)
    assert run_ids(house) == {1: second}


def test_a_run_that_was_sent_back_goes_on_with_the_next_version(house: House) -> None:
    register(house)
    arrive(house)
    house.tick()
    run_id = run_ids(house)[1] or ""
    reason = {"kind": "metric", "subject": "recall"}
    house.decide("bob", run_id, "request_changes", reasons=[reason])
    assert house.status(run_id) == "changes_requested"
    for _ in range(2):
        arrive(house, by="carol")
    house.tick()
    started = run_ids(house)
    assert started[2] == run_id
    assert started[3] not in {run_id, None}
    run = house.run(run_id)
    assert (run["version"], run["attempt"], run["status"]) == ("2", 2, "changes_requested")
    assert run["attempts"][-1]["note"] == "fraud-detector v2 was registered in MLflow; by carol, as MLflow says."
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"answers": {"1": "more data"}}))
    house.work()
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_changed_file_begins_anew_instead_of_going_on_with_what_was_sent_back(house: House) -> None:
    register(house)
    arrive(house)
    house.tick()
    house.decide("bob", run_ids(house)[1] or "", "request_changes")
    register(house, ON_NEWS + "max_attempts: 5\n")
    arrive(house)
    house.tick()
    assert len(set(run_ids(house).values())) == 2

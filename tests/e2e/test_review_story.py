"""A model's whole story in real browsers: seen in the inbox, sent back, trained again, approved, live, rolled back."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import churn
from real_stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

SHOTS = Path(os.environ.get("SIGNOFF_SCREENSHOTS", Path(__file__).parents[2] / "build" / "screenshots"))
PICTURES = os.environ.get("SIGNOFF_PICTURES")
SLOW = 90_000
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1360, "height": 900}},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 320, "height": 720}},
    "phone-dark": {"viewport": {"width": 320, "height": 720}, "color_scheme": "dark"},
}
IN_TURN = ["light", "phone-dark", *(pytest.param(view, marks=pytest.mark.slow) for view in ("dark", "phone"))]
"""Every width and every theme each time; every theme at every width in `make test-all`."""


@pytest.fixture(scope="module")
def environments(stack: Stack) -> None:
    file = stack.home / "environments-of-churn.yaml"
    file.write_text(churn.ENVIRONMENTS)
    stack.command("environment", "apply", "-f", str(file), who="erin")
    # Nobody listens there: what is told and fails is on the pages, too.
    stack.command("target", "add", "dashboards", "http://127.0.0.1:9/hook", "--model", "*", who="erin")


def begin(stack: Stack, folder: Path, note: str, **rules: Any) -> str:
    """alice starts a run; its id."""
    file = churn.write(folder, **rules)
    return str(json.loads(stack.command("run", str(file), "-m", note, "--json", who="alice"))["id"])


def until(stack: Stack, run: str, *wanted: str) -> None:
    """Return when the run has one of these statuses."""
    end = time.monotonic() + SLOW / 1000
    while (found := json.loads(stack.command("show", run, "--json", who="alice")))["status"] not in wanted:
        assert time.monotonic() < end, found["status"]
        assert found["status"] not in {"errored", "failed"}, found["error"]
        time.sleep(0.5)


@pytest.fixture(scope="module")
def live_one(stack: Stack, environments: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A first version that serves, and the run that brought it there."""
    run = begin(stack, tmp_path_factory.mktemp("first"), "The first one.", depth=1)
    until(stack, run, "waiting")
    stack.command("approve", run, "--yes", "--tick", "I looked at the age groups", who="bob")
    until(stack, run, "succeeded")
    return run


@pytest.fixture(scope="module")
def waiting(stack: Stack, live_one: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A better version that waits for two, with something to weigh and something said."""
    folder = tmp_path_factory.mktemp("second")
    note = "Deeper trees, trained on data up to October."
    run = begin(stack, folder, note, depth=4, approvers="['bob', 'carol']", required=2)
    until(stack, run, "waiting")
    stack.command("comment", run, "-m", "@alice is the group **over 65** large enough to tell?", who="carol")
    stack.command("comment", run, "-m", "About a third of the test rows, so yes.", who="alice")
    yield run
    shutil.rmtree(folder)


def pages_of(run: str) -> dict[str, tuple[str, str]]:
    """Every page, and who looks at it."""
    return {
        "inbox": ("bob", "/"),
        "review": ("bob", f"/runs/{run}/gates/approve"),
        "run": ("alice", f"/runs/{run}"),
        "runs": ("alice", "/runs"),
        "log": ("alice", f"/runs/{run}/logs/train"),
        "model-list": ("dave", "/models"),
        "model": ("bob", f"/models/{churn.MODEL}"),
        "deployments": ("bob", "/deployments"),
        "audit": ("erin", "/audit"),
        "validate": ("alice", "/pipelines/validate"),
        "settings": ("erin", "/settings"),
        "settings-of-an-approver": ("bob", "/settings"),
        "environments": ("erin", "/settings/environments"),
        "how-i-am-told": ("bob", "/settings/notifications"),
        "target": ("erin", "/settings/targets/dashboards"),
        "not-found": ("bob", "/runs/none"),
    }


@pytest.mark.parametrize("view", IN_TURN)
def test_every_page_is_for_everyone(open_page: Callable[..., Page], waiting: str, view: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str]] = {}
    for name, (who, path) in pages_of(waiting).items():
        page = open_page(who, reduced_motion="reduce", **VIEWS[view])
        page.goto(path)
        if page.locator("[data-spec]").count():
            page.locator("body[data-drawn]").wait_for()
            assert page.locator("[data-drawn=no]").count() == 0
        page.screenshot(path=SHOTS / f"{name}-{view}.png", full_page=True)
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong = Axe().run(page).response["violations"]
        violations = [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in wrong]
        found[name] = [*violations, *([f"{sideways} pixels too wide"] if sideways > 0 else [])]
        page.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("view", IN_TURN)
def test_what_an_environments_file_would_change_is_for_everyone(
    open_page: Callable[..., Page], waiting: str, view: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(parents=True, exist_ok=True)
    page = open_page("erin", java_script_enabled=False, **VIEWS[view])
    page.goto("/settings")
    page.get_by_role("link", name="Change the environments").click()
    text = page.get_by_label("environments.yaml")
    now = text.input_value()
    for name, file in (
        ("changed", f"{now}  canary: {{deployer: {{type: alias}}}}\n"),
        ("wrong", f"{now}  canary: [\n"),
    ):
        text.fill(file)
        page.get_by_role("button", name="See what it changes").click()
        page.get_by_text("canary is new" if name == "changed" else "1 thing is wrong").wait_for()
        page.screenshot(path=SHOTS / f"environments-{name}-{view}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    seen = open_page("erin", reduced_motion="reduce", **VIEWS[view])
    seen.goto("/settings/environments")
    seen.get_by_label("environments.yaml").fill(file)
    seen.get_by_role("button", name="See what it changes").click()
    assert Axe().run(seen).response["violations"] == []


def test_the_pictures_of_the_readme(open_page: Callable[..., Page], waiting: str) -> None:
    """Drawn every time; kept where SIGNOFF_PICTURES says."""
    page = open_page("bob", viewport={"width": 1280, "height": 1000}, device_scale_factor=1)
    page.goto(f"/runs/{waiting}/gates/approve")
    page.locator("body[data-drawn]").wait_for()
    taken = {"review.png": page.screenshot()}
    page.goto("/")
    page.get_by_role("link", name=churn.MODEL).first.wait_for()
    page.set_viewport_size({"width": 1280, "height": 420})
    taken["inbox.png"] = page.screenshot()
    for name, picture in taken.items():
        assert len(picture) > 10_000
        if PICTURES:
            Path(PICTURES, name).write_bytes(picture)


def test_the_review_weighs_what_there_is_to_weigh(open_page: Callable[..., Page], waiting: str) -> None:
    page = open_page("bob")
    page.goto(f"/runs/{waiting}/gates/approve")
    sentence = page.locator("#verdict-words").inner_text()
    assert sentence.startswith("Better than the model now in production")
    assert "age over 65" in page.locator("#verdict").inner_text()
    assert page.get_by_role("region", name="Metrics table").get_by_text("surely better").count() > 0
    page.get_by_text("The numbers of").first.click()
    assert page.locator("details[open] table").count() == 1


def test_a_model_is_sent_back_trained_again_approved_and_rolled_back(
    stack: Stack, open_page: Callable[..., Page], live_one: str, tmp_path: Path
) -> None:
    inbox = open_page("bob")
    inbox.goto("/")
    inbox.locator("body[data-live=yes]").wait_for()
    run = begin(stack, tmp_path, "Deeper trees.", depth=3)
    alice = open_page("alice")
    alice.goto(f"/runs/{run}")
    alice.locator("body[data-live=yes]").wait_for()

    # It comes into the open inbox by itself, and is found by keyboard.
    mine = inbox.locator(f"a[href='/runs/{run}/gates/approve']")
    mine.wait_for(timeout=SLOW)
    while not mine.evaluate("one => one === document.activeElement"):
        inbox.keyboard.press("j")
    inbox.keyboard.press("Enter")
    bob = inbox
    bob.get_by_role("heading", name="Your decision").wait_for()

    # Changes are asked for, with a reason that training reads.
    bob.get_by_text("Ask for changes").click()
    bob.get_by_text("Reasons that training can read").click()
    bob.get_by_label("Kind of reason 1").select_option("slice")
    bob.get_by_label("What reason 1 is about").fill("age over 65")
    bob.get_by_label("Comment", exact=True).fill("Customers over 65 are served worse.")
    bob.get_by_role("button", name="Submit decision").click()
    bob.get_by_text("You asked for changes.").wait_for()

    # The next attempt comes in live on alice's page, with its answer.
    alice.get_by_role("heading", name="Attempt 2").wait_for(timeout=SLOW)
    alice.get_by_text("1 of 1 approved").or_(alice.get_by_text("0 of 1 approved")).first.wait_for(timeout=SLOW)
    alice.get_by_text("Weighted that group three times as much.").wait_for()
    until(stack, run, "waiting")

    # It is approved with the checklist; without the tick it is refused and nothing is lost.
    bob.goto(f"/runs/{run}/gates/approve")
    bob.get_by_text("What was asked of this attempt").wait_for()
    bob.get_by_text("Approve", exact=True).click()
    bob.get_by_label("Comment", exact=True).fill("Much better for them.")
    bob.get_by_role("button", name="Submit decision").click()
    bob.get_by_role("heading", name="asks you to confirm").wait_for()
    assert bob.get_by_label("Comment", exact=True).input_value() == "Much better for them."
    bob.get_by_label("I looked at the age groups").check()
    bob.get_by_role("button", name="Submit decision").click()
    bob.get_by_text("You approved it.").wait_for()
    alice.get_by_role("heading", name="is live in production").wait_for(timeout=SLOW)

    # And rolled back in two clicks with a reason.
    bob.goto(f"/deployments?model={churn.MODEL}")
    bob.get_by_text("Roll back", exact=False).first.click()
    bob.get_by_label("Why").first.fill("Support asks for the old one.")
    bob.get_by_role("button", name=f"Roll {churn.MODEL} back").click()
    bob.locator("#columns").get_by_text("rollback").wait_for(timeout=SLOW)


def test_what_happens_while_a_list_is_still_loading_comes_into_it(
    stack: Stack, open_page: Callable[..., Page], live_one: str, tmp_path: Path
) -> None:
    page = open_page("bob")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/live?last=*", hold)
    with page.expect_request("**/live?last=*"):
        page.goto("/")
    run = begin(stack, tmp_path, "Came in between.", depth=2)
    until(stack, run, "waiting")
    mine = page.locator(f"a[href='/runs/{run}/gates/approve']")
    assert mine.count() == 0
    held[0].continue_()
    mine.wait_for(timeout=SLOW)
    stack.command("cancel", run, who="alice")


def test_of_two_approvers_at_once_the_second_is_told_and_keeps_the_words(
    stack: Stack, open_page: Callable[..., Page], live_one: str, tmp_path: Path
) -> None:
    run = begin(stack, tmp_path, "For either of two.", depth=5, approvers="['bob', 'carol']")
    until(stack, run, "waiting")
    bob, carol = open_page("bob"), open_page("carol")
    for page in (bob, carol):
        page.goto(f"/runs/{run}/gates/approve")
        page.locator("body[data-live=yes]").wait_for()
    carol.get_by_text("Reject", exact=True).click()
    comment = carol.get_by_label("Comment", exact=True)
    comment.fill("This leaks the lab")
    bob.get_by_text("Approve", exact=True).click()
    bob.get_by_label("I looked at the age groups").check()
    bob.get_by_role("button", name="Submit decision").click()
    bob.get_by_text("You approved it.").wait_for()

    # Her page says so while she types, and takes neither her focus nor her words.
    carol.get_by_role("heading", name="There is something newer to decide about").wait_for(timeout=SLOW)
    carol.keyboard.type("el.")
    assert comment.input_value() == "This leaks the label."
    carol.get_by_role("button", name="Submit decision").click()
    carol.get_by_role("heading", name="This changed while you were reading").wait_for()
    assert carol.get_by_label("What you had typed, to copy").input_value() == "This leaks the label."
    until(stack, run, "succeeded")


def test_a_session_that_ends_in_the_middle_of_a_comment_costs_no_word(
    stack: Stack, open_page: Callable[..., Page], waiting: str
) -> None:
    page = open_page("carol")
    page.goto(f"/runs/{waiting}/gates/approve")
    page.get_by_label("Add a comment").fill("A long thought about the curve.")
    page.context.clear_cookies()
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("Nobody is signed in any more").wait_for()
    assert page.get_by_label("What you wrote, to copy").input_value() == "A long thought about the curve."
    page.context.add_cookies([{"name": "signoff", "value": stack.secret("carol"), "url": stack.url, "httpOnly": True}])
    page.goto(f"/runs/{waiting}/gates/approve")
    assert page.get_by_label("Add a comment").input_value() == "A long thought about the curve."


def test_what_was_sent_is_no_draft_any_more(open_page: Callable[..., Page], waiting: str) -> None:
    page = open_page("carol")
    page.goto(f"/runs/{waiting}/gates/approve")
    page.get_by_label("Add a comment").fill("Said once.")
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("Your comment is there.").wait_for()
    assert page.get_by_label("Add a comment").input_value() == ""
    page.reload()
    assert page.get_by_label("Add a comment").input_value() == ""


def test_everything_works_without_scripts(open_page: Callable[..., Page], waiting: str) -> None:
    page = open_page("carol", java_script_enabled=False)
    page.goto("/")
    page.locator(f"a[href='/runs/{waiting}/gates/approve']").click()
    page.get_by_label("Add a comment").fill("Sent without a script.")
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("Sent without a script.").wait_for()
    page.get_by_text("The numbers of").first.click()
    assert page.locator("details[open] table").count() == 1


def test_a_log_is_searched_and_shown_in_colour(open_page: Callable[..., Page], waiting: str) -> None:
    page = open_page("alice")
    page.goto(f"/runs/{waiting}/logs/train")
    assert page.locator("#log .t-green").inner_text() == "done"
    page.get_by_role("searchbox").fill("DEPTH")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("heading", name="with “DEPTH”").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert "with depth 4" in Path(download.value.path()).read_text()

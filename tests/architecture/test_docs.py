"""The documentation holds together: its links lead somewhere, its examples are valid, its lists are complete."""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.routing import APIRoute

from signoff.cli.commands import COMMANDS, LATER
from signoff.cli.exits import Exit
from signoff.domain.actor import Role
from signoff.domain.gate import ReasonKind
from signoff.settings import KNOWN
from signoff.spec import read_environments, read_people, read_pipeline

TOP = Path(__file__).parents[2]
REFERENCE = TOP / "docs" / "reference"
BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def _load(script: str) -> ModuleType:
    spec = spec_from_file_location(script, TOP / "scripts" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[script] = module
    spec.loader.exec_module(module)
    return module


links = _load("check_links")
PAGES: list[Path] = links.pages()


def test_every_link_leads_somewhere() -> None:
    assert len(PAGES) > 30
    assert [problem for page in PAGES for problem in links.problems(page)] == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("nowhere.md", "leads nowhere"),
        ("#no-such-heading", "names a heading that is not there"),
        ("../../../../../../../../../../../etc", "leads out of the repository"),
    ],
)
def test_a_broken_link_is_found(link: str, words: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A heading\n\nSee [this]({link}), [that](#a-heading) and `[code](nowhere.md)`.\n")
    found = list(links.problems(page, tmp_path))
    assert len(found) == 1
    assert words in found[0]


def _blocks() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, match in enumerate(BLOCK.finditer(page.read_text()), start=1):
            found.append((f"{page.relative_to(TOP)}, block {number}", textwrap.dedent(match.group(2))))
    return found


@pytest.mark.parametrize(("where", "text"), _blocks(), ids=lambda value: value.partition("\n")[0][:60])
def test_a_yaml_example_is_valid(where: str, text: str) -> None:
    if re.search(r"^steps:", text, re.MULTILINE):
        problems = read_pipeline(text).errors
    elif re.search(r"^people:", text, re.MULTILINE):
        problems = tuple(p for p in read_people(text)[1] if p.is_error)
    else:
        problems = tuple(p for p in read_environments(text)[1] if p.is_error)
    assert [problem.message for problem in problems] == [], where


def test_there_are_examples_to_check() -> None:
    assert len(_blocks()) > 7


def test_every_setting_is_in_the_reference() -> None:
    text = (REFERENCE / "settings.md").read_text()
    assert sorted(name for name in KNOWN if f"`{name}`" not in text) == []
    assert set(re.findall(r"\bSIGNOFF_[A-Z_]+\b", text)) - KNOWN == {"SIGNOFF_DATABASE_URL_FILE"}


def test_every_command_is_in_the_reference_and_no_other() -> None:
    text = (REFERENCE / "commands.md").read_text()
    available, _, later = text.partition("## Not available yet")
    assert set(re.findall(r"`signoff ([a-z-]+)", available)) == set(COMMANDS)
    assert set(re.findall(r"`([a-z ]+)`", later)) - {"signoff"} == set(LATER)


def test_every_exit_status_is_in_the_reference() -> None:
    text = (REFERENCE / "commands.md").read_text()
    assert [status for status in Exit if f"\n| {status.value} |" not in text] == []


def test_every_route_is_in_the_reference() -> None:
    from signoff.api import catalogue, emergencies, environments, gates, health, replay, runs

    text = re.sub(r"\?[^`]*`", "`", (REFERENCE / "rest.md").read_text())
    routers = (catalogue, emergencies, environments, gates, health, replay, runs)
    routes = [r for router in routers for r in router.router.routes if isinstance(r, APIRoute)]
    assert len(routes) > 20
    paths = {re.sub(r"\{(run_id|deployment_id|emergency_id)\}", "{id}", route.path) for route in routes}
    missing = {path for path in paths if not re.search(rf"[ `]{re.escape(path)}[`,]", text)}
    # Told after a comma, without the part that they have in common with their neighbour.
    assert missing == {"/runs/{id}/retry", "/runs/{id}/comments"}


def test_every_role_and_every_kind_of_reason_is_in_the_reference() -> None:
    assert [r for r in Role if f"`{r}`" not in (REFERENCE / "environments.md").read_text()] == []
    assert [k for k in ReasonKind if f"`{k}`" not in (REFERENCE / "commands.md").read_text()] == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["evaluate"]]
    wanted += project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=!]", name)[0].lower() for name in wanted}
    text = (REFERENCE / "dependencies.md").read_text().lower()
    assert sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)) == []


@pytest.mark.parametrize("section", ["tutorial", "how-to", "reference", "explanation", "decisions"])
def test_every_page_is_on_its_index(section: str) -> None:
    folder = TOP / "docs" / section
    index = (folder / "index.md").read_text()
    pages = {page.name for page in folder.glob("*.md")} - {"index.md"}
    assert pages
    assert sorted(page for page in pages if f"]({page})" not in index) == []

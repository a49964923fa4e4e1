"""The action, the component and their examples: nothing is injected, loose or undocumented, and zizmor would say so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import signoff
from signoff.cli.ci_report import DOTENV, LINKS, Outcome, _values

TOP = Path(__file__).parents[2]
ACTION = TOP / "integrations" / "github" / "action.yml"
WORKFLOW = TOP / "examples" / "github-actions" / ".github" / "workflows" / "train.yml"
TEMPLATE = TOP / "integrations" / "gitlab" / "signoff.gitlab-ci.yml"
PROJECT = TOP / "examples" / "gitlab-ci" / ".gitlab-ci.yml"
HOW_TO = TOP / "docs" / "how-to"


def _action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(ACTION.read_text())
    return found


def _component() -> tuple[dict[str, Any], dict[str, Any]]:
    spec, template = yaml.safe_load_all(TEMPLATE.read_text())
    return spec["spec"]["inputs"], template


def _zizmor(*files: Path) -> subprocess.CompletedProcess[str]:
    call = [
        str(Path(sys.executable).parent / "zizmor"),
        "--offline",
        "--quiet",
        "--no-progress",
        "--persona",
        "auditor",
    ]
    return subprocess.run([*call, *files], capture_output=True, text=True, check=False)


def test_the_action_uses_no_other_one_and_no_script_of_it_holds_an_expression() -> None:
    steps = _action()["runs"]["steps"]
    assert [step for step in steps if "uses" in step] == []
    assert [step for step in steps if "${{" in step["run"]] == []
    scripts = [name for step in steps for name in re.findall(r"/(\w+\.sh)", step["run"])]
    assert [name for name in scripts if not (ACTION.parent / name).is_file()] == []
    assert len(scripts) == len(steps) == 2


def test_every_input_of_the_action_reaches_a_script_and_is_documented() -> None:
    action = _action()
    given = " ".join(text for step in action["runs"]["steps"] for text in step["env"].values())
    page = (HOW_TO / "use-in-github-actions.md").read_text()
    assert [name for name in action["inputs"] if f"inputs.{name} " not in given] == []
    assert [name for name in (*action["inputs"], *action["outputs"]) if f"`{name}`" not in page] == []


def test_every_output_is_one_that_the_command_writes() -> None:
    assert _action()["outputs"].keys() <= _values(Outcome(0, "")).keys()


def test_the_scripts_read_every_variable_that_they_are_given() -> None:
    for step in _action()["runs"]["steps"]:
        (name,) = re.findall(r"/(\w+\.sh)", step["run"])
        script = (ACTION.parent / name).read_text()
        assert [var for var in step["env"] if f"${var}" not in script and var != "SIGNOFF_SERVER"] == []


def test_both_install_this_version() -> None:
    assert _action()["inputs"]["version"]["default"] == signoff.__version__
    assert _component()[0]["version"]["default"] == signoff.__version__


def test_the_example_workflow_pins_by_hash_and_gives_inputs_that_there_are() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    (job,) = workflow["jobs"].values()
    used = [step for step in job["steps"] if "uses" in step]
    assert [step["uses"] for step in used if not re.search(r"@[0-9a-f]{40}$", step["uses"])] == []
    (ours,) = [step for step in used if "/integrations/github@" in step["uses"]]
    assert ours["with"].keys() <= _action()["inputs"].keys()
    assert (workflow["permissions"], job["permissions"]) == ({}, {"contents": "read", "id-token": "write"})


def test_no_script_of_the_component_holds_an_input_and_every_input_is_documented() -> None:
    inputs, template = _component()
    (job,) = template.values()
    page = (HOW_TO / "use-in-gitlab-ci.md").read_text()
    assert "$[[" not in str(job["script"])
    assert [name for name in inputs if f"$[[ inputs.{name} ]]" not in TEMPLATE.read_text()] == []
    assert [name for name in inputs if f"`{name}`" not in page] == []
    assert job["artifacts"]["reports"] == {"dotenv": DOTENV, "annotations": LINKS}
    assert [name for name in job["variables"] if name.startswith("SIGNOFF_")] == ["SIGNOFF_SERVER"]


def test_the_example_of_gitlab_gives_inputs_that_there_are() -> None:
    (include,) = yaml.safe_load(PROJECT.read_text())["include"]
    assert include["inputs"].keys() <= _component()[0].keys()


def test_zizmor_has_nothing_to_say() -> None:
    found = _zizmor(ACTION, WORKFLOW)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("source", "good", "bad", "says"),
    [
        (ACTION, 'bash "$GITHUB_ACTION_PATH/submit.sh"', 'echo "${{ inputs.model }}"', "template-injection"),
        (WORKFLOW, "permissions: {}", "permissions: write-all", "excessive-permissions"),
        (WORKFLOW, "@08c6903cd8c0fde910a37f88322edcfb5dd907a8", "@v5", "unpinned-uses"),
    ],
)
def test_zizmor_would_find_what_we_must_not_do(tmp_path: Path, source: Path, good: str, bad: str, says: str) -> None:
    text = source.read_text()
    assert good in text
    file = tmp_path / source.name
    file.write_text(text.replace(good, bad))
    found = _zizmor(file)
    assert (found.returncode != 0, says in found.stdout + found.stderr) == (True, True), found.stdout

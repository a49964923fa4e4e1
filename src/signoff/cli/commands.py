"""Every command by name: where it lives, what it does in a line, and under which heading the overview lists it.

Data only, so that `signoff --help` and a mistyped name are answered without importing anything.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """A command: its name, the module and function, and its line in the overview."""

    name: str
    target: str
    summary: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "Start",
        (
            Command("init", "files:init", "Write a working pipeline folder: signoff.yaml, train.py, evaluate.py."),
            Command("validate", "files:validate", "Check pipeline files: every error, with its place and a hint."),
            Command("run", "submitting:run", "Start a run with its training step."),
            Command("submit", "submitting:submit", "Start a run for a version that is trained already."),
            Command("resubmit", "submitting:resubmit", "Give a run that waits for one its next version."),
            Command("pipeline", "pipelines:app", "Pipeline files that new versions of a model start by themselves."),
            Command("ci", "ci:ci", "In a CI job: sign in as it, submit, wait, and say how it ended."),
        ),
    ),
    (
        "Look",
        (
            Command("inbox", "looking:inbox", "What waits for you."),
            Command("list", "looking:list_runs", "Runs, newest first."),
            Command("show", "looking:show", "A run: where it stands, what it waits for, and whom."),
            Command("explain", "looking:explain", "What a run waits for, who can give it, and why others cannot."),
            Command("logs", "looking:logs", "What the commands of a run printed."),
        ),
    ),
    (
        "Decide",
        (
            Command("approve", "deciding:approve", "Sign a model version off."),
            Command("request-changes", "deciding:request_changes", "Send it back, saying what to change."),
            Command("reject", "deciding:reject", "Say no, and why."),
            Command("withdraw", "deciding:withdraw", "Take your decision back, while the gate is open."),
            Command("comment", "deciding:comment", "Say something about a run."),
            Command("delegate", "absence:delegate", "Name who decides for you while you are away."),
        ),
    ),
    (
        "Steer",
        (
            Command("cancel", "steering:cancel", "End a run."),
            Command("retry", "steering:retry", "Do the step at which a run errored again."),
            Command("rollback", "steering:rollback", "Make a version that was live before live again."),
            Command("adopt", "adopting:adopt", "Take in what ran before signoff came; its review is owed."),
            Command("revoke", "emergencies:revoke", "Take back what was approved of a version."),
            Command(
                "deploy", "emergencies:deploy", "Deploy without review, in an emergency, on several people's word."
            ),
        ),
    ),
    (
        "Know",
        (
            Command("models", "catalogue:models", "Models, their versions, and what is live where."),
            Command("deployments", "catalogue:deployments", "What was put where, newest first."),
            Command("environment", "environments:app", "Environments and their protection rules."),
            Command("user", "people:app", "People: roles, groups, models, and how they sign in."),
            Command("group", "people:groups", "Groups of people, which rules name."),
            Command("token", "tokens:app", "API tokens: they submit and read."),
            Command("target", "targets:app", "What people and machines are told through."),
            Command("notify", "notify:notify", "How you are told: how soon, of what, when."),
            Command("audit", "auditing:app", "What happened, who did it, and when."),
            Command("policy", "policies:app", "Try a draft pipeline on past runs: signoff policy replay FILE."),
            Command("login", "login:login", "Sign in to a server, with a code that you confirm in the browser."),
            Command("logout", "login:logout", "Sign out again."),
            Command("whoami", "catalogue:whoami", "Who you are to the server."),
            Command("completion", "completion:completion", "Print a completion script for bash, zsh or fish."),
        ),
    ),
    (
        "Serve",
        (
            Command("up", "stack:up", "Start the whole stack on this machine."),
            Command("down", "stack:down", "Stop it."),
            Command("serve", "stack:serve", "The server alone, for many machines on one Postgres."),
            Command("worker", "stack:worker", "A worker alone."),
            Command("migrate", "stack:migrate", "Bring the database's tables up to date."),
        ),
    ),
)

COMMANDS = {command.name: command for _, group in GROUPS for command in group}

LATER = {
    "verify": "",
    "audit verify": "`signoff audit list` shows the events.",
    "audit export": "`signoff audit list --json` gives the events.",
    "audit checkpoint": "`signoff audit list` shows the events.",
}
"""Commands that the documentation promises and this version does not have, with what to do meanwhile."""

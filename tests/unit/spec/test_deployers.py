"""The deployers of an environments file: read exactly, and refused with their place and what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signoff.domain.deployer import CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import DeployerSpec
from signoff.spec import read_environments
from signoff.store import codec


def deployer(text: str) -> DeployerSpec:
    environments, problems = read_environments(f"environments:\n  production:\n    deployer: {text}\n")
    assert problems == ()
    assert environments is not None
    kept = codec.ENVIRONMENTS.validate_python(codec.plain(codec.ENVIRONMENTS, dict(environments)))
    assert kept == environments
    return environments["production"].deployer


def said(text: str, *, is_refused: bool) -> list[tuple[int, str, str]]:
    """Place in the text, message and hint of everything that is said of it; its mark is taken out."""
    head = "    deployer: "
    lines = f"environments:\n  production:\n{head}{text.replace('^', '', 1)}\n"
    found, problems = read_environments(lines)
    assert (found is None) == is_refused
    assert {problem.line for problem in problems} == {3}
    return [(problem.column - len(head) - 1, problem.message, problem.hint) for problem in problems]


def test_a_command_is_read_with_all_that_it_may_say() -> None:
    assert deployer(
        "{type: command, alias: live, run: [/opt/deploy.sh, '{model}', 3], rollback: /opt/deploy.sh back, timeout: 3m, "
        "health: {run: [python, /opt/health.py], timeout: 5m}, env: {REGION: eu, REPLICAS: 3, DRY: true}, "
        "secrets: {KUBE_TOKEN: {file: /run/secrets/x}, KEY: {env: CLUSTER_KEY}}}"
    ) == DeployerSpec(
        "command",
        "live",
        timedelta(minutes=5),
        CommandSpec(
            run=("/opt/deploy.sh", "{model}", "3"),
            rollback=("/opt/deploy.sh", "back"),
            health=("python", "/opt/health.py"),
            env={"REGION": "eu", "REPLICAS": "3", "DRY": "true"},
            secrets={"KUBE_TOKEN": SecretReference(file="/run/secrets/x"), "KEY": SecretReference(env="CLUSTER_KEY")},
            timeout=timedelta(minutes=3),
        ),
    )


def test_a_command_needs_its_words_only() -> None:
    found = deployer("{type: command, run: deploy-to-cluster}")
    assert found == DeployerSpec("command", "production", command=CommandSpec(("deploy-to-cluster",)))


def test_a_webhook_is_read_with_all_that_it_may_say() -> None:
    assert deployer(
        "{type: webhook, url: 'https://deployer.example.com/deploy', secret: {file: /run/secrets/hook}, timeout: 1h, "
        "health: {url: 'https://models.example.com/health', timeout: 2m}}"
    ) == DeployerSpec(
        "webhook",
        "production",
        timedelta(minutes=2),
        webhook=WebhookSpec(
            "https://deployer.example.com/deploy",
            SecretReference(file="/run/secrets/hook"),
            "https://models.example.com/health",
            timedelta(hours=1),
        ),
    )


@pytest.mark.parametrize(
    ("marked", "message", "hint"),
    [
        ("{^type: command}",
         "the deployer of environment production has no run",
         "add run: [/etc/signoff/deploy.sh]"),
        ("{type: command, ^run: }",
         "run has no value",
         "give it one, or take the line out"),
        ("{type: command, run: ^[]}",
         "run must not be empty",
         "write run: [/etc/signoff/deploy.sh]"),
        ("{type: command, run: ^{a: b}}",
         "run must be a command or a list of its words, not a mapping",
         "write run: [/etc/signoff/deploy.sh]"),
        ("{type: command, run: ^'./deploy.sh prod'}",
         "run starts in an empty folder, where './deploy.sh' is not",
         "write its whole path"),
        ("{type: command, run: /a, rollback: ^[bin/back]}",
         "rollback starts in an empty folder, where 'bin/back' is not",
         "write its whole path"),
        ("{type: command, run: /a, health: {^timeout: 5s}}",
         "health has no run",
         "add run: [/etc/signoff/health.sh], or take health out"),
        ("{type: command, ^command: /a}",
         "unknown key 'command' in the deployer of environment production",
         "did you mean 'run'?"),
        ("{type: command, run: /a, ^url: 'https://x'}",
         "unknown key 'url' in the deployer of environment production",
         "url belongs to a deployer of type webhook"),
        ("{type: server, ^timeout: 5m}",
         "unknown key 'timeout' in the deployer of environment production",
         "timeout belongs to a deployer of type command or webhook"),
        ("{type: command, run: /a, env: {^'A-B': x}}",
         "'A-B' is not a name for a variable",
         "use letters, digits and _, not starting with a digit"),
        ("{type: command, run: /a, env: {^signoff_token: x}}",
         "signoff_token: names that begin with SIGNOFF_ are signoff's own",
         "choose another name"),
        ("{type: command, run: /a, env: {A: ^[1]}}",
         "A must be a text, not a list",
         "put quotes around it"),
        ("{type: command, run: /a, secrets: {A: ^hunter2}}",
         "A must say where the secret is, never what it is",
         "write {file: /run/secrets/name} or {env: NAME}"),
        ("{type: command, run: /a, secrets: {A: ^{}}}",
         "A has no file",
         "write {file: /run/secrets/name} or {env: NAME}"),
        ("{type: command, run: /a, secrets: {A: ^{file: /x, env: Y}}}",
         "A says file and env",
         "take one out"),
        ("{type: command, run: /a, secrets: {A: {file: ^x}}}",
         "file of A must be a whole path",
         "begin it with /"),
        ("{type: command, run: /a, secrets: {A: {env: ^SIGNOFF_DATABASE_URL}}}",
         "SIGNOFF_DATABASE_URL is a setting of signoff's own, which no deployer gets",
         "give the worker another variable"),
        ("{type: command, run: /a, env: {A: x}, secrets: {A: ^{env: B}}}",
         "A stands under env as well",
         "take one out"),
        ("{^type: webhook, url: 'https://x/'}",
         "the deployer of environment production has no secret",
         "add secret: {file: /run/secrets/deploy-webhook}"),
        ("{type: webhook, url: ^x, secret: {env: A}}",
         "url is no address that signoff can ask",
         "write https://host/path"),
        ("{type: webhook, url: ^'https://me:pw@x/', secret: {env: A}}",
         "url holds a user name or password",
         "take it out: requests are signed"),
        ("{type: webhook, url: 'https://x/', secret: ^whsec_abc}",
         "secret must say where the secret is, never what it is",
         "write {file: /run/secrets/name} or {env: NAME}"),
        ("{type: webhook, url: 'https://x/', secret: {env: A}, health: {^timeout: 5s}}",
         "health has no url",
         "add url: https://..., or take health out"),
        ("{type: ^kubernetes}",
         "deployer type: kubernetes is not available yet",
         "write command: the how-to guides deploy to both by it"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_its_place(marked: str, message: str, hint: str) -> None:
    assert said(marked, is_refused=True) == [(marked.index("^"), message, hint)]


def test_shell_words_and_scripts_without_a_path_are_warned_of() -> None:
    text = "{type: command, run: python deploy.py && echo done}"
    place = text.index("python")
    assert said(text, is_refused=False) == [
        (place, "'&&' is handed to the program as a word: run is not given to a shell",
         "put the commands into a script and run that"),
        (place, "run starts in an empty folder, where 'deploy.py' is not", "write its whole path"),
    ]  # fmt: skip


def test_what_looks_like_a_secret_is_warned_of_unless_it_is_a_path() -> None:
    text = "{type: command, run: /a, env: {API_TOKEN: abc, TOKEN_FILE: /run/token}}"
    message = "API_TOKEN stands in the file for everybody who reads it"
    hint = "if it is a secret, say under secrets where it is: API_TOKEN: ..."
    assert said(text, is_refused=False) == [(text.index("abc"), message, hint)]

"""`signoff token trust`: which CI jobs may submit without a stored secret."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, connect
from signoff.cli.people import asked
from signoff.cli.screen import Screen, safe

app = App(name="trust", help="CI jobs that get a token for 15 minutes by their system's word; administrators only.")


@app.command
def add(
    name: Annotated[str, Parameter(help="What to call it.")],
    /,
    *,
    repository_id: Annotated[str, Parameter(metavar="NUMBER", help="The repository's (GitLab: project's) number.")],
    workflow_ref: Annotated[
        str, Parameter(metavar="REF", help="OWNER/NAME/.github/workflows/FILE@REF; GitLab: ci_config_ref_uri.")
    ],
    person: Annotated[str, Parameter(metavar="NAME", help="As whom its jobs submit: an account that only submits.")],
    environment: Annotated[
        str | None, Parameter(metavar="NAME", help="The CI system's environment. Default: jobs in none.")
    ] = None,
    system: Annotated[Literal["github", "gitlab"], Parameter(help="github (the default) or gitlab.")] = "github",
    issuer: Annotated[str | None, Parameter(metavar="URL", help="Default: that of github.com or gitlab.com.")] = None,
    audience: Annotated[str | None, Parameter(metavar="URL", help="Default: this server's public address.")] = None,
    common: Common = NOTHING,
) -> int:
    """Trust the jobs that are exactly this: every pin is compared to the letter."""
    from signoff.wire.machines import TrustRequest

    screen = Screen(common)
    given = {
        "name": name,
        "system": system,
        "repository_id": repository_id,
        "workflow_ref": workflow_ref,
        "environment": environment,
        "person": person,
        "issuer": issuer,
        "audience": audience,
    }
    with connect(common) as client:
        made = client.machines.add_trust(asked(TrustRequest, given))
    if screen.is_json:
        screen.document(made)
        return Exit.DONE
    where = f"in the environment {made.environment}" if made.environment else "in no environment"
    screen.say(f"[green]✔[/] {safe(made.workflow_ref)} of repository {safe(made.repository_id)}, {safe(where)},")
    screen.say(f"  submits as {safe(made.person)}: `signoff login {safe(made.audience)} --ci` in the job.")
    return Exit.DONE


@app.command(name="list")
def list_trusts(*, common: Common = NOTHING) -> int:
    """Every trusted job, with all its pins."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.machines.list_trusts()
    if screen.is_json:
        screen.document(found)
        return Exit.DONE
    for trust in found.items if screen.is_quiet else ():
        screen.essential(trust.name)
    if not found.items:
        screen.say("No trusted jobs. `signoff token trust add` makes one.")
    for trust in found.items:
        # Whole, for every pin is compared to the letter.
        screen.say(f"[bold]{safe(trust.name)}[/] submits as {safe(trust.person)}  [dim]added by {safe(trust.by)}[/]")
        screen.say(f"  issuer       {safe(trust.issuer)}")
        screen.say(f"  audience     {safe(trust.audience)}")
        screen.say(f"  repository   {safe(trust.repository_id)}")
        screen.say(f"  workflow     {safe(trust.workflow_ref)}")
        screen.say(f"  environment  {safe(trust.environment or 'none')}")
    return Exit.DONE


@app.command
def remove(name: str, /, *, common: Common = NOTHING) -> int:
    """Trust these jobs no longer; the tokens that they have end at once."""
    screen = Screen(common)
    with connect(common) as client:
        found = client.machines.remove_trust(name)
    if screen.is_json:
        screen.document(found)
    screen.say(f"{safe(found.name)} is trusted no longer.")
    return Exit.DONE

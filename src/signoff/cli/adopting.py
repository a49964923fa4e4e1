"""`signoff adopt`: what ran in an environment before signoff came, taken in without calling it approved."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, MessageOption, connect
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import InvalidError


def adopt(
    environment: str,
    model: str,
    /,
    *,
    message: Annotated[MessageOption, Parameter(help="Why; everybody reads it.")] = "",
    common: Common = NOTHING,
) -> int:
    """Take in the version behind the environment's alias: it ran before signoff came. Its review is owed from now on.

    Nothing outside is touched. The version is recorded as adopted, with the digest of its bytes, and never as approved
    before people have reviewed it.
    """
    from signoff.cli.words import minute
    from signoff.wire.drift import AdoptRequest

    if not message.strip():
        raise InvalidError("Adopting needs a reason.", "Say it with -m WHY.")
    screen = Screen(common)
    with connect(common) as client:
        done = client.adopt(environment, model, AdoptRequest(why=message))
    if screen.is_json:
        screen.document(done)
        return Exit.DONE
    if screen.is_quiet:
        screen.essential(done.run_id)
        return Exit.DONE
    label = f"{safe(done.model)} v{safe(done.version)}"
    where = f"{label} in {safe(done.environment)}"
    screen.say(f"[green]✔[/] {where} is adopted, [bold]not approved[/]. It runs on as it did.")
    screen.say(f"  digest {safe(done.digest)}")
    due = f" by {minute(done.adoption.due_at)}" if done.adoption is not None else ""
    screen.say(f"  It is to be reviewed{due}: `signoff show {safe(done.run_id)}`.")
    return Exit.DONE

"""`signoff completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="For which shell.")],
    /,
    *,
    common: Common = NOTHING,  # noqa: ARG001 - what every command takes
) -> int:
    """Print a completion script. For bash: `eval "$(signoff completion bash)"` in ~/.bashrc."""
    from signoff.cli.app import build

    # `shell` is the name of one; nothing runs in it.
    print(build().generate_completion(prog_name="signoff", shell=shell))  # nosec B604
    return Exit.DONE

"""Secrets of a deployer, looked up where the administrator says they lie, each time that they are needed.

So a secret that is rotated is the new one at the next deployment, and nothing keeps it in between.
"""

from __future__ import annotations

import os
from pathlib import Path

from signoff.domain.deployer import SecretReference
from signoff.domain.errors import MachineryError
from signoff.domain.secret import Secret

LARGEST = 64 * 1024


def look_up(name: str, reference: SecretReference) -> Secret:
    """What lies there; of a file all but the newline at its end.

    Raises:
        MachineryError: nothing does, or it cannot be read; says which, never what.
    """
    if reference.file is None:
        found = os.environ.get(reference.env or "", "")
    else:
        try:
            with Path(reference.file).open(encoding="utf-8") as file:
                found = file.read(LARGEST + 1)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise MachineryError(
                f"The secret {name} cannot be read from {reference.where}: {why}.",
                "Put it there, readable by the worker's account; then retry.",
            ) from None
        if len(found) > LARGEST:
            raise MachineryError(f"The secret {name} in {reference.where} is too long.", "Name another file.")
        found = found.removesuffix("\n")
    if not found or "\0" in found:
        raise MachineryError(
            f"There is no secret {name} in {reference.where}.", "Put it there, and start the worker again if need be."
        )
    return Secret(found)

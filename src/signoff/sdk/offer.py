"""The version that somebody offers: a reference to the registry, or local files, which are uploaded.

Used by `sdk.submission`, `sdk.run` and the command line.
"""

from __future__ import annotations

import re
from pathlib import Path

from signoff.domain.errors import InvalidError
from signoff.sdk.client import Client
from signoff.sdk.model_files import packed

REFERENCE = re.compile(r"(models|runs):/.")
_LOOKS_LIKE_VERSION = re.compile(r"[^/\\.]+(/\d+|@[\w-]+)")


def choose_model(client: Client, model: str | Path) -> dict[str, str]:
    """The fields of a request that name `model`; a local one is uploaded, unless the server has it already.

    Raises:
        InvalidError: it is neither a reference nor a local path.
        UnsafeModelError: local files that a manifest cannot stand for.
    """
    if isinstance(model, str) and REFERENCE.match(model):
        return {"model": model}
    path = Path(model).expanduser()
    if not path.exists():
        hint = (
            "A model is models:/NAME/VERSION, models:/NAME@ALIAS, runs:/ID/PATH, or a folder or file on this machine."
        )
        if _LOOKS_LIKE_VERSION.fullmatch(str(model)):
            hint = f"Did you mean models:/{model}?"
        raise InvalidError(f"There is no file or folder {str(model)!r}.", hint)
    with packed(path) as files:
        if client.find_snapshot(files.digest) is None:
            client.add_snapshot(files.content, files.size)
        return {"upload": files.digest}

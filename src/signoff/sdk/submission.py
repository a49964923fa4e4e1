"""`signoff.submit`: a run of a pipeline file. What it needs is uploaded first; the command line shares that part."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from signoff.domain.errors import PipelineError
from signoff.sdk.client import Client
from signoff.sdk.connection import connect
from signoff.sdk.offer import choose_model
from signoff.sdk.run import Run
from signoff.sdk.snapshot import pack
from signoff.wire.runs import SubmitRequest

_RUNS_COMMANDS = re.compile(r"""\brun["']?\s*:""")

Say = Callable[[str], None]
"""Told what is worth a line: what was left out of the folder, what is big."""


def submit(
    model: str | Path | None = None,
    *,
    pipeline: str | Path = "signoff.yaml",
    note: str = "",
    metrics: Mapping[str, Any] | None = None,
    client: Client | None = None,
) -> Run:
    """Start a run of `pipeline` (a file, or the folder that holds signoff.yaml).

    `model` is ``models:/name/3``, ``models:/name@alias``, ``runs:/id/path``, a local folder or file, or None: then
    the pipeline's training step makes it. `metrics` are recorded as claimed by the caller. `client` defaults to
    `connect()`.

    Raises:
        SignoffError: the file or the model is wrong, the server refused or could not be reached.
    """
    file = Path(pipeline)
    file = file / "signoff.yaml" if file.is_dir() else file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise PipelineError(f"{file} cannot be read: {why}.", "Name the pipeline file with pipeline=.") from error
    server = client or connect()
    request = SubmitRequest(
        pipeline=text,
        filename=file.name[-200:],
        folder_name=file.resolve().parent.name or None,
        snapshot=upload_folder(server, file.resolve().parent) if _RUNS_COMMANDS.search(text) else None,
        note=note,
        metrics=None if metrics is None else dict(metrics),
        **({} if model is None else choose_model(server, model)),
    )
    return Run(server, server.submit(request))


def upload_folder(client: Client, folder: Path, say: Say | None = None) -> str:
    """The digest of `folder` as it is now, packed and uploaded, unless the server has it already.

    Raises:
        SnapshotError: the folder is too big or cannot be read.
    """
    snapshot = pack(folder)
    if say is not None:
        for note in snapshot.notes:
            say(note)
    if client.find_snapshot(snapshot.digest) is None:
        client.add_snapshot(lambda: iter((snapshot.data,)), len(snapshot.data))
    return snapshot.digest

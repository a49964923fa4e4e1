"""``on: {model_version: fraud-detector}``: what starts the runs of a pipeline that is registered with the server."""

from __future__ import annotations

import re

from signoff.domain.actor import GROUP_PREFIX
from signoff.domain.pipeline import Trigger
from signoff.spec.approvers import UNKNOWN_HINT
from signoff.spec.fields import Fields
from signoff.spec.known import Known
from signoff.spec.rules import read_approvers
from signoff.spec.tree import Table, find

MODEL_NAME = re.compile(r"[^\s/:\x00-\x1f](?:[^/:\x00-\x1f]{0,253}[^\s/:\x00-\x1f])?")
_MISTAKES = {
    **dict.fromkeys(("model", "models", "registered_model", "version", "model_versions"), "model_version"),
    **dict.fromkeys(("makers", "by", "registered_by", "contributors", "people"), "made_by"),
}


def read_trigger(fields: Fields, root: Table, context: Known | None) -> Trigger | None:
    """What starts the pipeline; None when only people do."""
    table = fields.table_of("on")
    if table is None:
        return None
    inner = Fields(table, "on", fields.problems)
    model = inner.named("model_version", MODEL_NAME, "a registered model's name has no / and no :")
    made_by = read_approvers(inner, "made_by")
    inner.close(_MISTAKES)
    inner.require("model_version", "add model_version: and the registered model's name")
    directory = context.directory if context is not None else None
    for number, reference in enumerate(made_by if directory is not None else ()):
        if directory is not None and not directory.knows(reference):
            what = f"group {reference.removeprefix(GROUP_PREFIX)}" if reference.startswith(GROUP_PREFIX) else reference
            place = find(root, "on", "made_by", number)
            fields.problems.error(place, f"the server does not know {what}", UNKNOWN_HINT, code="unknown_person")
    return None if model is None else Trigger(model, made_by)

"""The JSON Schema of `signoff.yaml`, for editors: completion, and red lines before anything is run.

It says what `pipeline` reads, in the schema's own terms; a test holds the two together. What only the whole file or
the server can tell (names used twice, the order of the steps, who exists) is left to `signoff validate`.
"""

from __future__ import annotations

from typing import Any

from signoff.domain.evidence import Task
from signoff.domain.pipeline import Concurrency, OnDeployFail, OnReject, OnTestFail, OnTimeout, OnUncertain
from signoff.spec import duration
from signoff.spec.checks import MOST_SENSITIVE, MOST_SLICES, PREDICTIONS
from signoff.spec.command import MOST_RETRIES, PARAM
from signoff.spec.pipeline import METRIC_NAME, MOST_ATTEMPTS, MOST_STEPS, MOST_TARGETS, PIPELINE_NAME
from signoff.spec.rules import MOST_APPROVALS, MOST_RULES, NAME
from signoff.spec.steps import ENVIRONMENT_NAME, STEP_NAME

Schema = dict[str, Any]

_HEAD = (
    "The approval workflow of a model, kept beside its training code. For help while typing, save this schema "
    "(signoff validate --schema > signoff.schema.json) and make the first line of signoff.yaml "
    "# yaml-language-server: $schema=signoff.schema.json"
)
_APPROVERS = "Who may decide: names of people, or 'group:risk' for everybody in a group."


def pipeline_schema() -> Schema:
    """JSON Schema 2020-12 of a pipeline file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "signoff.yaml",
        "description": _HEAD,
        **_mapping(
            {
                "name": _form(PIPELINE_NAME.pattern, "What the pipeline is called. Default: its folder's name."),
                "model": _text("The registered model. Default: that of the version submitted."),
                "max_attempts": _whole("Attempts in all, the first included. Default 3.", 1, MOST_ATTEMPTS),
                "concurrency": _enum(
                    "Two runs of one model for one environment. queue: one after the other, never an older after a "
                    "newer one. supersede: a new run closes the waiting gates of older ones. allow: each as it is "
                    "approved.",
                    [word.value for word in Concurrency],
                ),
                "stop_when_no_better": {
                    "description": "Stop training again when the metric got no better in so many attempts in a row.",
                    **_mapping(
                        {
                            "metric": _form(METRIC_NAME.pattern, "A metric that a test step reports."),
                            "rounds": _whole("Attempts in a row. Default 2.", 1, MOST_ATTEMPTS),
                        },
                        required=["metric"],
                    ),
                },
                "notify": _list(
                    "Targets that hear of its runs; an administrator defines them.",
                    _text("A target."),
                    MOST_TARGETS,
                    unique=True,
                ),
                "on": {
                    "description": "What starts a run, once the file is registered: signoff pipeline add.",
                    **_mapping(
                        {
                            "model_version": _text("A new version of this registered model."),
                            "made_by": {
                                "$ref": "#/$defs/approvers",
                                "description": "Who may register versions of it: none of them approves one.",
                            },
                        },
                        required=["model_version"],
                    ),
                },
                "steps": _list("What happens, in order.", {"$ref": "#/$defs/step"}, MOST_STEPS),
            },
            required=["steps"],
        ),
        "$defs": {
            "step": {
                "type": "object",
                "required": ["name", "type"],
                "properties": {"type": {"enum": list(_STEPS)}},
                "allOf": [
                    {
                        "if": {"properties": {"type": {"const": kind}}},
                        "then": {"$ref": f"#/$defs/{kind}"},
                    }
                    for kind in _STEPS
                ],
            },
            **{kind: _step(kind, *parts) for kind, parts in _STEPS.items()},
            "check": _check(),
            "rule": _rule(),
            "duration": {
                "type": "string",
                "pattern": duration.PATTERN,
                "description": "A length of time: 30s, 5m, 2h, 90d, 1h30m.",
            },
            "approvers": _list(_APPROVERS, {"type": "string", "pattern": f"^(group:)?{NAME.pattern}$"}, unique=True),
        },
    }


def _text(description: str) -> Schema:
    return {"type": "string", "minLength": 1, "description": description}


def _form(pattern: str, description: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}


def _whole(description: str, least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _enum(description: str, words: list[str]) -> Schema:
    return {"enum": words, "description": description}


def _list(description: str, item: Schema, most: int = 100, *, unique: bool = False) -> Schema:
    schema = {"type": "array", "minItems": 1, "maxItems": most, "items": item, "description": description}
    return {**schema, "uniqueItems": True} if unique else schema


def _mapping(properties: Schema, *, required: list[str] | None = None) -> Schema:
    """A closed mapping."""
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": required} if required else schema


def _duration(description: str) -> Schema:
    return {"$ref": "#/$defs/duration", "description": description}


def _command() -> Schema:
    words = {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}
    param = {"type": ["string", "number", "boolean"]}
    return {
        "run": {
            "anyOf": [_text("A command, split without a shell."), words],
            "description": "The command, run in the pipeline's folder: a text, or a list of its words.",
        },
        "python": _text("The Python that the command finds first: a path or a version."),
        "params": {
            "type": ["object", "null"],
            "propertyNames": {"pattern": f"^{PARAM.pattern}$"},
            "additionalProperties": param,
            "description": "Given to the command as SIGNOFF_PARAM_<NAME> and in its context file.",
        },
        "runner": _enum("Where the command runs.", ["local"]),
        "timeout": {"$ref": "#/$defs/duration"},
        "retries": _whole("How often a run that broke is repeated; never a rejected model.", 0, MOST_RETRIES),
    }


def _check() -> Schema:
    that = _text("A condition on the metrics: accuracy > 0.9, auc >= champion.auc - 0.005.")
    whole = _mapping(
        {
            "name": _text("What people see. Default: the condition."),
            "that": that,
            "severity": _enum("What it means when the condition does not hold. Default fail.", ["fail", "warn"]),
            "without_champion": _enum("The answer when there is no champion yet. Default pass.", ["pass", "fail"]),
            "confidence": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "description": "How sure the answer has to be. Default 0.95.",
            },
            "on_uncertain": _enum(
                "What it means when the numbers cannot tell. Default people.", [str(word) for word in OnUncertain]
            ),
            "for_each": _text("A slice column: the condition has to hold for the rows of each of its values."),
        },
        required=["that"],
    )
    return {"anyOf": [that, whole], "description": "A condition that the model has to meet."}


def _rule() -> Schema:
    return _mapping(
        {
            "name": _form(NAME.pattern, "What the rule is called."),
            "approvers": {"$ref": "#/$defs/approvers"},
            "required_approvals": _whole("How many of them must approve. Default 1.", 1, MOST_APPROVALS),
        },
        required=["name", "approvers"],
    )


def _approval() -> Schema:
    schema = _mapping(
        {
            "approvers": {"$ref": "#/$defs/approvers"},
            "required_approvals": _whole("How many of them must approve. Default 1.", 1, MOST_APPROVALS),
            "rules": _list("Several rules that must all hold.", {"$ref": "#/$defs/rule"}, MOST_RULES),
            "auto_approve_if": _text("Approves by itself when exactly true; otherwise people decide."),
            "checklist": _list("What an approver confirms, line by line.", _text("One line."), unique=True),
            "allow_self_approval": _flag("Whether the submitter may approve their own model. Default false."),
            "timeout": _duration("How long it waits. Default: for ever."),
            "on_timeout": _enum("What follows then. Default expire.", [str(word) for word in OnTimeout]),
            "escalate_to": {"$ref": "#/$defs/approvers", "description": "Who may approve too after the timeout."},
            "remind_every": _duration("How often those who are missing are reminded."),
            "valid_for": _duration("How long the approval lasts. Default: for ever."),
            "step_up": _enum("What has to confirm an approval. Default: nothing.", ["passkey"]),
        },
    )
    alone = {"required": ["rules"], "properties": {"approvers": {"not": {}}, "required_approvals": {"not": {}}}}
    people = [{"required": ["approvers"], "properties": {"rules": {"not": {}}}}, alone]
    return {**schema, "oneOf": people, "anyOf": _TIMEOUTS}


_TIMEOUTS: list[Schema] = [
    {"properties": {"on_timeout": {"not": {}}, "escalate_to": {"not": {}}}},
    {"properties": {"on_timeout": {"const": "expire"}, "escalate_to": {"not": {}}}, "required": ["timeout"]},
    {"properties": {"on_timeout": {"const": "escalate"}}, "required": ["timeout", "on_timeout", "escalate_to"]},
]
"""What may stand together: nobody to escalate to, or all that an escalation needs."""


def _test() -> Schema:
    checks = _list("Conditions that the model has to meet.", {"$ref": "#/$defs/check"})
    column = _text("A column.")
    pair = {"type": "array", "minItems": 2, "maxItems": 2, "items": column, "uniqueItems": True}
    slices = {"anyOf": [column, pair]}
    wishes = {
        "task": _enum("What the predictions answer. Default: recognised.", [str(task) for task in Task]),
        "compare": _enum("Run the same command for the champion, and compare row by row.", ["champion"]),
        "slices": _list("Columns, or pairs of columns, to look at one by one.", slices, MOST_SLICES, unique=True),
        "sensitive": _list("Columns whose groups should fare alike.", column, MOST_SENSITIVE, unique=True),
        "correct": _flag("Whether answers are corrected for how many checks and looks there are. Default false."),
    }
    alone: Schema = {"properties": {key: {"not": {}} for key in PREDICTIONS}}
    whole = _mapping({**_command(), "checks": checks, **wishes})
    return {**whole, "type": ["object", "null"], "anyOf": [{"required": ["run"]}, alone]}


def _training() -> Schema:
    return {**_mapping(_command()), "type": ["object", "null"]}


def _deployment() -> Schema:
    environment = _form(ENVIRONMENT_NAME.pattern, "Where to; 'local' always exists.")
    return _mapping({"environment": environment}, required=["environment"])


def _after_no(what: str) -> Schema:
    words = [str(word) for word in OnReject]
    return _enum(f"What {what} starts.", words)


_STEPS: dict[str, tuple[str, Schema, Schema]] = {
    "training": ("Makes a model version. Without run, the version submitted is taken.", _training(), {}),
    "test": (
        "Measures a version and checks what was measured.",
        _test(),
        {"on_fail": _enum("What a failed check starts. Default fail_pipeline.", [str(word) for word in OnTestFail])},
    ),
    "approval": (
        "Waits until people have decided.",
        _approval(),
        {
            "on_reject": _after_no("a reject (default: retrain after a training step, else fail_pipeline)"),
            "on_changes_requested": _after_no("a request for changes (default: retrain)"),
        },
    ),
    "deployment": (
        "Puts the approved bytes into an environment.",
        _deployment(),
        {"on_fail": _enum("What follows when it does not get healthy.", [str(word) for word in OnDeployFail])},
    ),
}


def _step(kind: str, description: str, inputs: Schema, beside: Schema) -> Schema:
    name = _form(STEP_NAME.pattern, "What the step is called; unique in the file.")
    required = ["name", "type", *(["inputs"] if kind in {"approval", "deployment"} else [])]
    schema = _mapping({"name": name, "type": {"const": kind}, "inputs": inputs, **beside}, required=required)
    return {**schema, "description": description}

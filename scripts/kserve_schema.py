"""Write tests/kserve/inferenceservice.json: the JSON Schema of an InferenceService, from KServe's own Python models.

KServe publishes them on PyPI, made from its OpenAPI document. They are read, not run:

    pip install --no-deps --target FOLDER kserve==0.21.0
    python scripts/kserve_schema.py FOLDER

What a model server without extras needs is written out and closed; everything else may be any object.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "tests" / "kserve" / "inferenceservice.json"
ROOT = "V1beta1InferenceService"
WRITTEN_OUT = {
    ROOT,
    "V1beta1InferenceServiceSpec",
    "V1beta1PredictorSpec",
    "V1beta1ModelSpec",
    "V1beta1ModelFormat",
    "V1beta1ModelStorageSpec",
}
PLAIN = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
}


def models(folder: Path) -> dict[str, ast.ClassDef]:
    """Every class of the models, by name."""
    files = sorted((folder / "kserve" / "models").glob("*.py"))
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def table(model: ast.ClassDef, name: str) -> dict[str, str]:
    """One of the model's two dictionaries: ``openapi_types``, ``attribute_map``."""
    for node in model.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise LookupError(f"{model.name} has no {name}")


def required(model: ast.ClassDef) -> set[str]:
    """The attributes that the constructor sets whatever they are: the others may be missing."""
    init = next(node for node in model.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    targets = [ast.unparse(target) for node in init.body if isinstance(node, ast.Assign) for target in node.targets]
    return {name.removeprefix("self.") for name in targets if name.startswith("self.") and name[5] != "_"}


def of_type(kind: str) -> dict[str, Any]:
    """The schema of one type of the models."""
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        return {"type": "array", "items": of_type(found[1])}
    if found := re.fullmatch(r"dict\(str, (.+)\)", kind):
        return {"type": "object", "additionalProperties": of_type(found[1])}
    return {"$ref": f"#/$defs/{kind}"} if kind in WRITTEN_OUT else PLAIN.get(kind, {"type": "object"})


def closed(model: ast.ClassDef) -> dict[str, Any]:
    """A model as a schema that takes nothing but its own fields, as a strict API server does."""
    names, kinds = table(model, "attribute_map"), table(model, "openapi_types")
    needed = sorted(names[name] for name in required(model) if name in names)
    properties = {names[name]: of_type(kind) for name, kind in sorted(kinds.items())}
    return {"type": "object", "required": needed, "additionalProperties": False, "properties": properties}


def main(folder: Path) -> None:
    """Write the schema."""
    [release] = folder.glob("kserve-*.dist-info")
    known = models(folder)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Made by scripts/kserve_schema.py from the models of {release.stem} on PyPI. "
        "Copyright The KServe Authors. Apache License 2.0.",
        "$ref": f"#/$defs/{ROOT}",
        "$defs": {name: closed(known[name]) for name in sorted(WRITTEN_OUT)},
    }
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

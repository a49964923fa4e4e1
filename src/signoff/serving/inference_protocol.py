"""Open Inference Protocol v2 (REST) over a pyfunc model: tensors to what the model takes, its answer to tensors.

Source: https://github.com/kserve/open-inference-protocol (`specification/protocol/inference_rest.md`). Runs in
the model server only. Numbers travel as JSON; the binary tensor extension is not offered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc import PyFuncModel
from mlflow.types import Schema
from mlflow.types.schema import DataType, TensorSpec

from signoff import __version__
from signoff.serving.served import Served

NUMBERS = {
    "BOOL": "bool",
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"float{bits}" for bits in (16, 32, 64)},
}
NAMES = {dtype: name for name, dtype in NUMBERS.items()}
COLUMNS: dict[Any, str] = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}


class ProtocolError(Exception):
    """The request is not one that this model can answer; `status` is 400 or 404."""

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(what)
        self.status = status


class OpenInference:
    """The protocol's answers for one loaded model."""

    def __init__(self, model: PyFuncModel, served: Served) -> None:
        self._model = model
        self._served = served
        metadata: Any = model.metadata
        self._inputs: Schema | None = metadata.get_input_schema()
        self._outputs: Schema | None = metadata.get_output_schema()
        params = metadata.get_params_schema()
        self._params = {param.name for param in params.params} if params else set()

    def check_names(self, name: str, version: str | None = None) -> None:
        """Refuse paths of another model or version than the one that is served."""
        if name != self._served.model or version not in {None, self._served.version}:
            asked = name if version is None else f"{name} v{version}"
            raise ProtocolError(f"{asked} is not served here; {self._served.label} is.", 404)

    def server(self) -> dict[str, Any]:
        """The metadata of the server."""
        return {"name": "signoff", "version": __version__, "extensions": []}

    def ready(self) -> dict[str, Any]:
        """Whether the model is ready: it was before this server accepted anything."""
        return {"name": self._served.model, "ready": True}

    def metadata(self) -> dict[str, Any]:
        """The metadata of the model, from its MLflow signature."""
        return {
            "name": self._served.model,
            "versions": [self._served.version],
            "platform": "mlflow_pyfunc",
            "inputs": _describe(self._inputs, "input"),
            "outputs": _describe(self._outputs, "output"),
        }

    def infer(self, body: bytes) -> bytes:
        """Answer one inference request.

        Raises:
            ProtocolError: the request is malformed, or does not fit the model.
            MlflowException: the model's signature refuses it.
        """
        request = _parse(body)
        given = request.get("parameters") or {}
        params = {name: value for name, value in given.items() if name in self._params}
        tensors = {tensor["name"]: _array(tensor) for tensor in request["inputs"]}
        data = self._model_input(tensors)
        answer = self._model.predict(data, params=params) if params else self._model.predict(data)
        outputs = self._tensors(answer)
        if wanted := {output["name"] for output in request.get("outputs") or []}:
            if missing := wanted - {output["name"] for output in outputs}:
                raise ProtocolError(f"The model has no output {min(missing)!r}.")
            outputs = [output for output in outputs if output["name"] in wanted]
        response = {"model_name": self._served.model, "model_version": self._served.version, "outputs": outputs}
        if "id" in request:
            response["id"] = request["id"]
        return json.dumps(response).encode()

    def _model_input(self, tensors: Mapping[str, np.ndarray[Any, Any]]) -> Any:
        """What pyfunc takes: a frame for a signature of columns, arrays for one of tensors; else by their number."""
        only = next(iter(tensors.values())) if len(tensors) == 1 else None
        schema = self._inputs
        if schema is not None and schema.is_tensor_spec():
            return dict(tensors) if schema.has_input_names() else only
        if only is not None:
            names = schema.input_names() if schema is not None else None
            if names is None:
                return only
            if only.ndim == 2 and only.shape[1] == len(names) and not set(tensors) <= set(names):  # noqa: PLR2004
                return pd.DataFrame(only, columns=names)
        try:
            return pd.DataFrame({name: _column(array) for name, array in tensors.items()})
        except ValueError as error:
            raise ProtocolError(f"The inputs are not columns of one length: {error}.") from None

    def _tensors(self, answer: Any) -> list[dict[str, Any]]:
        """The model's answer as named output tensors; a frame is one for each column."""
        if isinstance(answer, pd.DataFrame):
            return [_tensor(str(name), column.to_numpy()) for name, column in answer.items()]
        if isinstance(answer, Mapping):
            return [_tensor(str(name), np.asarray(value)) for name, value in answer.items()]
        named = self._outputs.input_names() if self._outputs is not None and self._outputs.has_input_names() else []
        return [_tensor(str(named[0]) if len(named) == 1 else "output-1", np.asarray(answer))]


def _parse(body: bytes) -> dict[str, Any]:
    """The request, its shape checked as far as the rest relies on it."""
    try:
        request: Any = json.loads(body)
    except ValueError as error:
        raise ProtocolError(f"The request is not JSON: {error}.") from None
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise ProtocolError('The request needs "inputs", a list of tensors.')
    for tensor in inputs:
        if not isinstance(tensor, dict) or not {"name", "shape", "datatype", "data"} <= tensor.keys():
            raise ProtocolError("Every input needs name, shape, datatype and data.")
        if not isinstance(tensor["name"], str) or not isinstance(tensor["datatype"], str):
            raise ProtocolError("The name and datatype of an input are strings.")
    outputs = request.get("outputs") or []
    if not isinstance(outputs, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs
    ):
        raise ProtocolError('"outputs" is a list of objects with a name.')
    if not isinstance(request.get("parameters") or {}, dict):
        raise ProtocolError('"parameters" is an object.')
    checked: dict[str, Any] = request
    return checked


def _array(tensor: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    """The tensor as an array; its data may be flat or nested, row-major."""
    name, datatype = tensor["name"], tensor["datatype"]
    if datatype != "BYTES" and datatype not in NUMBERS:
        raise ProtocolError(f"Input {name!r}: there is no datatype {datatype!r}.")
    try:
        return np.array(tensor["data"], dtype=NUMBERS.get(datatype, object)).reshape(tensor["shape"])
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"Input {name!r} is not {datatype} of shape {tensor['shape']}: {error}.") from None


def _column(array: np.ndarray[Any, Any]) -> Any:
    """One column of a frame: a vector as it is, anything deeper as a list for each row."""
    if array.ndim > 1 and array.size == array.shape[0]:
        array = array.reshape(-1)
    return array if array.ndim == 1 else list(array)


def _tensor(name: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An output tensor; what is not a number travels as BYTES."""
    if array.ndim == 0:
        array = array.reshape(1)
    datatype = NAMES.get(array.dtype.name, "BYTES")
    flat = array.reshape(-1).tolist()
    data = [str(value) for value in flat] if datatype == "BYTES" else flat
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def _describe(schema: Schema | None, kind: str) -> list[dict[str, Any]]:
    """The tensors of a signature; one column is a tensor with a row for each example."""
    described = []
    for number, one in enumerate(schema.inputs if schema is not None else [], start=1):
        name = one.name if one.name is not None else f"{kind}-{number}"
        if isinstance(one, TensorSpec):
            described.append(
                {
                    "name": name,
                    "datatype": NAMES.get(one.type.name, "BYTES"),
                    "shape": [int(size) for size in one.shape],
                }
            )
        else:
            described.append({"name": name, "datatype": COLUMNS.get(one.type, "BYTES"), "shape": [-1]})
    return described

"""What the model server answers: MLflow's scoring protocol and, through `inference_protocol`, Open Inference v2.

Runs in the model server only. Requests are parsed and answers written by MLflow's own scoring functions (`scoring`),
so that they are the same as those of `mlflow models serve`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from signoff.serving.inference_protocol import OpenInference, ProtocolError
from signoff.serving.scoring import Scoring
from signoff.serving.served import Served

LARGEST_BODY = 64 * 2**20
LONGEST_MESSAGE = 2000
THREADS = min(8, (os.cpu_count() or 1) + 2)

logger = logging.getLogger(__name__)


class TooLargeError(Exception):
    """The request is larger than `LARGEST_BODY`. What is left of it is not read: the connection closes."""

    headers: ClassVar = {"connection": "close"}

    def __str__(self) -> str:
        return f"The request is larger than {LARGEST_BODY // 2**20} MiB. Send it in smaller batches."


class ModelApplication:
    """One loaded model behind its routes. Predictions run in threads, so that a slow one does not silence `/ping`."""

    def __init__(self, model: PyFuncModel, served: Served) -> None:
        self._model = model
        self._served = served
        self._scoring = Scoring(model)
        self._inference = OpenInference(model, served)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="predict")

    def routes(self) -> list[Route]:
        """Every path that the server answers."""
        inference, named = self._inference, "/v2/models/{name}"
        both = (named, named + "/versions/{version}")
        return [
            Route("/ping", _empty),
            Route("/health", _empty),
            Route("/version", self.version),
            Route("/invocations", self.invocations, methods=["POST"]),
            Route("/v2", lambda _: JSONResponse(inference.server())),
            Route("/v2/health/live", lambda _: JSONResponse({"live": True})),
            Route("/v2/health/ready", lambda _: JSONResponse({"ready": True})),
            *(Route(path, self._describes(inference.metadata)) for path in both),
            *(Route(path + "/ready", self._describes(inference.ready)) for path in both),
            *(Route(path + "/infer", self.infer, methods=["POST"]) for path in both),
        ]

    def version(self, _: Request) -> Response:
        """Which version this is and who approved it."""
        served = self._served
        return JSONResponse(
            {"model": served.model, "version": served.version, "digest": served.digest, "approval": served.approval}
        )

    async def invocations(self, request: Request) -> Response:
        """MLflow's scoring protocol: JSON (`dataframe_split`, `dataframe_records`, `instances`, `inputs`) or CSV."""
        try:
            body = await _body(request)
            content_type = request.headers.get("content-type", "")
            answer = await self._in_thread(lambda: self._scoring.answer(body, content_type))
        except TooLargeError as error:
            return _refusal(413, "REQUEST_TOO_LARGE", str(error), error.headers)
        except MlflowException as error:
            logger.info("refused an invocation", exc_info=True)
            return _refusal(_status(error), error.error_code, error.message)
        return Response(answer.response, answer.status, media_type=answer.mimetype)

    async def infer(self, request: Request) -> Response:
        """One inference of the Open Inference Protocol."""
        try:
            self._inference.check_names(**request.path_params)
            body = await _body(request)
            answer = await self._in_thread(lambda: self._inference.infer(body))
        except TooLargeError as error:
            return JSONResponse({"error": str(error)}, 413, error.headers)
        except ProtocolError as error:
            return JSONResponse({"error": str(error)}, error.status)
        except MlflowException as error:
            return JSONResponse({"error": error.message[:LONGEST_MESSAGE]}, _status(error))
        except Exception as error:
            logger.warning("the model failed on a request", exc_info=True)
            return JSONResponse({"error": f"The model failed: {error!r}"[:LONGEST_MESSAGE]}, 500)
        return Response(answer, media_type="application/json")

    def check_example(self, folder: Path) -> None:
        """Predict the model's own input example, if it has one, through the same code as a request."""
        info = self._model.metadata.saved_input_example_info or {}
        name = info.get("serving_input_path")
        if name and (folder / name).is_file():
            body = (folder / name).read_bytes()
            answer = self._scoring.answer(body, "application/json")
            json.loads(answer.response)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _describes(self, about: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def describe(request: Request) -> Response:
            try:
                self._inference.check_names(**request.path_params)
            except ProtocolError as error:
                return JSONResponse({"error": str(error)}, error.status)
            return JSONResponse(about())

        return describe


def application(model: PyFuncModel, served: Served, folder: Path) -> Starlette:
    """The ASGI application of `model`, once it has predicted its own example."""
    os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
    answers = ModelApplication(model, served)
    answers.check_example(folder)
    return Starlette(routes=answers.routes())


async def _empty(_: Request) -> Response:
    """MLflow's answer to a ping."""
    return Response("\n", media_type="application/json")


async def _body(request: Request) -> bytes:
    """The whole body, unless it is larger than `LARGEST_BODY`."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        raise TooLargeError
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def _status(error: Any) -> int:
    """The HTTP status of an `MlflowException`."""
    return int(error.get_http_status_code())


def _refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as MLflow writes it, without the stack trace."""
    return JSONResponse({"error_code": code, "message": message[:LONGEST_MESSAGE]}, status, headers)

"""What every route says in the OpenAPI document about its refusals: problems (RFC 9457), by status.

Said once for all, because refusals are made in one place, too (`problems`). For `server`, which makes the application.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from signoff.wire.body import Place, Problem

_NAME = "Problem"
_REFERENCE = "#/components/schemas/{model}"
_WORDS = {
    HTTPStatus.BAD_REQUEST: "What was sent cannot be read, or could mean several things.",
    HTTPStatus.UNAUTHORIZED: "Nobody known is behind the request.",
    HTTPStatus.FORBIDDEN: "Not allowed for the caller, whatever the state.",
    HTTPStatus.NOT_FOUND: "It is not there, as far as the caller may know.",
    HTTPStatus.CONFLICT: "Not possible in the present state.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes than are taken.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Understood, and wrong: `errors` says where.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many of late; `Retry-After` says when to try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that signoff depends on did not answer; `Retry-After` says when to ask.",
}
_BODY = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model=_NAME)}}}

REFUSALS: dict[int | str, dict[str, Any]] = {
    status.value: {"description": words, "content": _BODY} for status, words in _WORDS.items()
}
"""For every route of the API."""


class DescribedApi(FastAPI):
    """An application whose OpenAPI document also has what `REFUSALS` refers to."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        document = super().openapi()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for body in (Problem, Place):
            described = body.model_json_schema(mode="serialization", ref_template=_REFERENCE)
            described.pop("$defs", None)
            schemas.setdefault(body.__name__, described)
        return document

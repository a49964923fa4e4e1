"""The pages' own files and those of npm: read once, served compressed, kept by browsers until their content changes.

Their address holds the hash of all of them together, so that a file may name its neighbour, and a new version of
signoff gives every file a new address.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from signoff.domain.errors import ConfigurationError

FOLDER = Path(__file__).parent / "static"
_TEXT = frozenset({".css", ".js", ".svg", ".txt"})
_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".css": "text/css"}

router = APIRouter()


class Shelf:
    """Every static file by its name below `folder`."""

    def __init__(self, folder: Path) -> None:
        files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name[0] != ".")
        self._files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}

    @cached_property
    def version(self) -> str:
        """Changes when any file does."""
        digest = sha256()
        for name, content in self._files.items():
            digest.update(sha256(name.encode()).digest() + sha256(content).digest())
        return digest.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Where browsers find the file.

        Raises:
            ConfigurationError: there is no such file.
        """
        if name not in self._files:
            raise ConfigurationError(
                f"signoff was installed without {name}, which its pages need.",
                "Install it from its wheel; in a checkout `make check` puts the files of npm in their place.",
            )
        return f"/static/{self.version}/{name}"

    def serve(self, name: str, accepted: str) -> tuple[bytes, dict[str, str]] | None:
        """The file's bytes and headers, in the best encoding of those that are accepted; None when there is none."""
        content = self._files.get(name)
        if content is None:
            return None
        suffix = Path(name).suffix
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Content-Type": f"{kind}; charset=utf-8" if suffix in _TEXT else kind}
        if suffix not in _TEXT:
            return content, headers
        headers["Vary"] = "Accept-Encoding"
        encodings = {part.split(";")[0].strip() for part in accepted.split(",")}
        if "br" in encodings and f"{name}.br" in self._files:
            return self._files[f"{name}.br"], headers | {"Content-Encoding": "br"}
        if "gzip" in encodings:
            return self._zipped(name), headers | {"Content-Encoding": "gzip"}
        return content, headers

    @cache  # noqa: B019 - the one shelf lives as long as the process
    def _zipped(self, name: str) -> bytes:
        return gzip.compress(self._files[name], mtime=0)

    @cached_property
    def icons(self) -> frozenset[str]:
        """The names of the icons that there are."""
        sprite = self._files.get("vendor/icons.svg", b"").decode()
        return frozenset(part.split('"')[0] for part in sprite.split('<symbol id="')[1:])


@cache
def shelf() -> Shelf:
    """The files of this installation, read when they are first asked for."""
    return Shelf(FOLDER)


@router.get("/static/{version}/{name:path}")
def serve_file(request: Request, version: str, name: str) -> Response:
    """One static file. Under the address of another version it is served, too, but not kept."""
    found = shelf().serve(name, request.headers.get("accept-encoding", ""))
    if found is None:
        raise HTTPException(404)
    content, headers = found
    headers["Cache-Control"] = _FOR_EVER if version == shelf().version else "no-cache"
    return Response(content, headers=headers)

"""The log of a step: a stretch at a time, however long it is; live while it runs; searched and downloaded whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from markupsafe import Markup

from signoff.domain.actor import Actor
from signoff.service import views
from signoff.service.catalogue import read_log
from signoff.service.desk import Desk
from signoff.web.page import render
from signoff.web.run_pages import attached
from signoff.web.terminal import lines_of, plain
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
STRETCH = 128 * 1024
"""Bytes of a log on one page."""
_PIECE = 1_000_000
_MOST_SEARCHED = 256 * 1024**2
_MOST_FOUND = 200
_LONGEST_LINE = 400
Attempt = Annotated[int | None, Query(ge=1, le=1000)]
Offset = Annotated[int | None, Query(ge=0, le=2**40)]


@dataclass(frozen=True, slots=True)
class Found:
    """A line that a search found: where it begins in the log, and what it says."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole lines from byte `start` to `end` of a log of `size` bytes."""

    lines: tuple[Markup, ...]
    start: int
    end: int
    size: int
    is_complete: bool


@router.get("/runs/{run_id}/logs/{step}")
def show_log(
    request: Request,
    run_id: str,
    step: str,
    desk: DeskOf,
    actor: SignedIn,
    attempt: Attempt = None,
    offset: Offset = None,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The end of the log, or what is at `offset`; with `q` the lines that hold it."""
    view = views.get_run(desk, actor, run_id)
    run = view.line.run
    number = attempt or run.attempt.number
    size = read_log(desk, actor, run.id, step, attempt=number, offset=0, limit=1).size
    start = max(0, size - STRETCH) if offset is None else offset
    stretch = _stretch(desk, actor, run.id, step, number, start, is_tail=False)
    found, is_cut = _search(desk, actor, run.id, step, number, q) if q.strip() else ((), False)
    base = f"/runs/{run.id}/logs/{step}"

    def address(**more: object) -> str:
        return f"{base}?{urlencode({'attempt': number, **more})}"

    return render(
        request,
        "log.html",
        run=run,
        step=step,
        number=number,
        stretch=stretch,
        found=found,
        is_cut=is_cut,
        query=q,
        base=base,
        earlier=address(offset=max(0, stretch.start - STRETCH)) if stretch.start else None,
        later=address(offset=stretch.end) if stretch.end < stretch.size else None,
        first=address(offset=0),
        last=address(),
        address=address,
        follows=offset is None and not stretch.is_complete,
    )


@router.get("/runs/{run_id}/logs/{step}/part")
def read_part(
    run_id: str, step: str, desk: DeskOf, actor: SignedIn, attempt: Attempt = None, offset: Offset = 0
) -> Response:
    """The lines that came since byte `offset`, as HTML; where to ask on, and whether that was all, is in headers."""
    found = _stretch(desk, actor, run_id, step, attempt, offset or 0, is_tail=True)
    html = Markup("").join(Markup("<li>{}</li>").format(line) for line in found.lines)
    headers = {"X-Log-Next": str(found.end), "X-Log-Complete": str(found.is_complete).lower()}
    return HTMLResponse(html, headers=headers)


@router.get("/runs/{run_id}/logs/{step}/raw")
def download_log(run_id: str, step: str, desk: DeskOf, actor: SignedIn, attempt: Attempt = None) -> Response:
    """The whole log as it is, byte for byte."""
    read_log(desk, actor, run_id, step, attempt=attempt, offset=0, limit=1)  # a refusal comes before the first byte
    pieces = (data for _, data in _pieces(desk, actor, run_id, step, attempt))
    return StreamingResponse(pieces, media_type="text/plain", headers=attached(f"{run_id}-{step}.log"))


def _stretch(
    desk: Desk, actor: Actor, run_id: str, step: str, attempt: int | None, offset: int, *, is_tail: bool
) -> Stretch:
    """Whole lines from `offset` on. A tail begins where the last one ended, which is the beginning of a line."""
    part = read_log(desk, actor, run_id, step, attempt=attempt, offset=offset, limit=STRETCH)
    data, start = part.data, offset
    if offset and not is_tail:
        skipped = data.find(b"\n") + 1
        data, start = data[skipped:], offset + skipped
    if not part.is_complete and b"\n" in data:
        data = data[: data.rfind(b"\n") + 1]
    elif not part.is_complete and len(data) < STRETCH:
        data = b""  # the line is still being written
    end = start + len(data)
    return Stretch(tuple(lines_of(data)), start, end, part.size, part.is_complete and end >= part.size)


def _pieces(desk: Desk, actor: Actor, run_id: str, step: str, attempt: int | None) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while True:
        part = read_log(desk, actor, run_id, step, attempt=attempt, offset=offset, limit=_PIECE)
        if not part.data:
            return
        yield offset, part.data
        offset += len(part.data)
        if offset >= part.size:
            return


def _search(
    desk: Desk, actor: Actor, run_id: str, step: str, attempt: int, wanted: str
) -> tuple[tuple[Found, ...], bool]:
    """The first lines that hold `wanted`, whatever its case; and whether there may be more."""
    needle = wanted.strip().casefold()
    found: list[Found] = []
    rest, begins = b"", 0
    for offset, data in _pieces(desk, actor, run_id, step, attempt):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if needle in (text := plain(line)).casefold():
                found.append(Found(begins, text[:_LONGEST_LINE]))
                if len(found) >= _MOST_FOUND:
                    return tuple(found), True
            begins += len(line) + 1
        if offset > _MOST_SEARCHED:
            return tuple(found), True
    if rest and needle in (text := plain(rest)).casefold():
        found.append(Found(begins, text[:_LONGEST_LINE]))
    return tuple(found), False

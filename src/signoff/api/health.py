"""/healthz (the process lives), /readyz (it can do its work, truthfully), /metrics (Prometheus)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from signoff.domain.errors import SignoffError
from signoff.service import health
from signoff.service.desk import Desk

router = APIRouter(include_in_schema=False)
LOG = structlog.get_logger("signoff.api")
_FRESH_S = 2.0
_AGES = (60, 3600, 6 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400)


class Measures:
    """What this process counts itself, and what it reads from the database when asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._measuring = Lock()
        self._known: tuple[float, Desk, health.Figures | None] = (0.0, desk, None)
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "signoff_http_requests_total", "Requests answered", ["method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "signoff_http_request_seconds", "How long answers took", ["method"], registry=self.registry
        )
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing before the first scrape: registering must not ask the database."""
        return ()

    def _figures(self) -> health.Figures:
        """Those of this moment, give or take two seconds: whoever asks need not say who they are, and may ask often."""
        with self._measuring:
            at, desk, figures = self._known
            if figures is None or desk is not self._desk or monotonic() >= at + _FRESH_S:
                figures = health.measure(self._desk)
                self._known = (monotonic(), self._desk, figures)
            return figures

    def collect(self) -> Iterator[Metric]:
        """Gates waiting by age, runs by status, queue depth and age, workers, decisions, step durations."""
        found = self._figures()
        waiting = HistogramMetricFamily("signoff_gate_waiting_seconds", "Age of the gates that wait now")
        buckets: list[tuple[str, float]] = [(str(top), sum(a <= top for a in found.gate_ages)) for top in _AGES]
        waiting.add_metric([], [*buckets, ("+Inf", len(found.gate_ages))], sum(found.gate_ages))
        yield waiting
        runs = GaugeMetricFamily("signoff_runs", "Runs by status", labels=["status"])
        for status, count in found.runs.items():
            runs.add_metric([status], count)
        yield runs
        yield GaugeMetricFamily("signoff_queue_depth", "Wake-ups that wait for a worker", found.queue.waiting)
        yield GaugeMetricFamily("signoff_queue_age_seconds", "Age of the oldest wake-up", found.queue.oldest_seconds)
        yield GaugeMetricFamily("signoff_workers", "Workers that gave a sign of life", found.queue.workers)
        decisions = GaugeMetricFamily("signoff_decisions", "Decisions so far, by verdict", labels=["verdict"])
        for verdict, count in found.decisions.items():
            decisions.add_metric([verdict], count)
        yield decisions
        steps = GaugeMetricFamily(
            "signoff_step_seconds", "Median duration of the last day's steps, by type", labels=["type", "status"]
        )
        for kind, status, seconds in found.step_seconds:
            steps.add_metric([kind, status], seconds)
        yield steps


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(request: Request) -> JSONResponse:
    """Whether database, schema and files are there; and whether a worker is, which is told but does not refuse."""
    desk: Desk = request.app.state.desk
    parts = health.readiness(desk)
    is_ready = all(part.is_ok for part in parts if part.is_needed)
    for part in parts:
        if part.why:
            LOG.warning("not ready", part=part.name, why=part.why)
    body: dict[str, Any] = {
        "status": "ready" if is_ready else "not ready",
        "parts": {part.name: {"ok": part.is_ok, "detail": part.detail} for part in parts},
    }
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    measures: Measures = request.app.state.measures
    try:
        text = generate_latest(measures.registry)
    except SignoffError as error:
        LOG.warning("no figures", why=str(error))
        return Response(f"# {error.what}\n", 503, media_type="text/plain")
    return Response(text, media_type=CONTENT_TYPE_LATEST)

"""A server with a past: so many runs that are over, among them a few that wait. Imported by benchmarks only.

What is over is copied from one run that was really submitted and driven to its gate, as a year of work leaves it
behind: 64 models, a version a run, decisions, deployments, the audit log. Rows are copied within Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import Table
from stage import FIRST, MODELS, Stage

from signoff.store.tables import attempts, gates, runs, steps

WAITING = 200
"""So many wait, all of them for bob and carol."""

_AGO = "(n - {first}) * interval '30 s'"
_NUMBER = "((n - {first}) / {models} + 2)::text"
_MODEL = "'model-' || mod(n, {models})"
_OF_VERSION = f"jsonb_set(jsonb_set(%s, ARRAY['version'], to_jsonb({_NUMBER})), ARRAY['model'], to_jsonb({_MODEL}))"
_OVER: dict[Table, Mapping[str, str]] = {
    runs: {
        "id": "n::text",
        "model": _MODEL,
        "status": "CASE WHEN n % 50 = 0 THEN 'rejected' WHEN n % 333 = 0 THEN 'errored' ELSE 'succeeded' END",
        "submitter": "CASE WHEN n % 1000 = 7 THEN 'carol' ELSE 'alice' END",
        "version": _NUMBER,
        "created_at": f"created_at - {_AGO}",
        "updated_at": f"created_at - {_AGO}",
        "ended_at": f"created_at - {_AGO}",
    },
    attempts: {
        "run_id": "n::text",
        "version": _OF_VERSION % "version",
        "started_at": f"started_at - {_AGO}",
    },
    steps: {"run_id": "n::text", "status": "'succeeded'", "ended_at": f"started_at - {_AGO}"},
    gates: {
        "id": "'9999' || n",
        "run_id": "n::text",
        "model": _MODEL,
        "status": "'approved'",
        "subject": _OF_VERSION % "subject",
        "opened_at": f"opened_at - {_AGO}",
        "closed_at": f"opened_at - {_AGO} + interval '1 hour'",
    },
}
_DECISIONS = """
INSERT INTO decisions (id, gate_id, by, verdict, digest, comment, reasons, saw, at)
SELECT '8888' || n, '9999' || n, 'bob', 'approve', g.digest, 'Fine.', '[]', '{{}}', now() - {ago}
FROM gates g, generate_series({begin}, {end}) n WHERE g.id = {gate}
"""
_DEPLOYMENTS = """
INSERT INTO deployments
  (id, key, environment, model, version, digest, model_version, status, kind, run_id, by, started_at, live_at)
SELECT '7777' || n, n || '/1/deploy', 'local', {model}, {number}, a.version ->> 'digest', a.version,
  CASE WHEN n - {first} < {models} THEN 'live' ELSE 'replaced' END,
  'run', n::text, 'alice', now() - {ago}, now() - {ago}
FROM attempts a, generate_series({begin}, {end}) n WHERE a.run_id = {run} AND a.number = 1
"""
_EVENTS = """
INSERT INTO audit_events (type, actor, at, run_id, model, detail)
SELECT e.type, e.actor, now() - {ago}, n::text, {model}, '{{"step": "approve"}}'
FROM generate_series({end}, {begin}, -1) n,
  (VALUES ('run.submitted', 'alice'), ('gate.opened', 'signoff'), ('gate.decided', 'bob'), ('run.succeeded', 'signoff'))
  AS e (type, actor)
"""
_PIECE = 50_000


def fill(made: Stage, count: int) -> None:
    """`count` runs, all but the newest `WAITING` of them over; nothing when they are there from another time."""
    with psycopg.connect(made.owner, autocommit=True) as connection:
        there = connection.execute("SELECT id FROM runs WHERE id = %s", [str(FIRST + count - 1)]).fetchone()
        if there is not None:
            return
    made.open_gates(WAITING)
    began = time.perf_counter()
    with psycopg.connect(made.owner, autocommit=True) as connection:
        for begin in range(FIRST + WAITING, FIRST + count, _PIECE):
            end = min(begin + _PIECE, FIRST + count) - 1
            _add(connection, begin, end)
            print(f"   {end - FIRST + 1:>9,} runs after {time.perf_counter() - began:.0f} s", flush=True)
        _revoke(connection)
        _discuss(connection)
        connection.execute("VACUUM ANALYZE")


def _add(connection: psycopg.Connection, begin: int, end: int) -> None:
    """The runs numbered from `begin` to `end`, and what they left behind."""
    words: dict[str, Composable] = {
        "begin": Literal(begin),
        "end": Literal(end),
        "first": Literal(FIRST + WAITING),
        "models": Literal(MODELS),
        "run": Literal(str(FIRST)),
        "gate": Literal(f"9999{FIRST}"),
    }
    words |= {name: SQL(text).format(**words) for name, text in (("ago", _AGO), ("model", _MODEL), ("number", _NUMBER))}
    for table, others in _OVER.items():
        names = [one.name for one in table.columns]
        key = "id" if table is runs else "run_id"
        made = [SQL(others[name]).format(**words) if name in others else Identifier(name) for name in names]
        connection.execute(
            SQL("INSERT INTO {} ({}) SELECT {} FROM {}, generate_series({}, {}) n WHERE {} = {}").format(
                Identifier(table.name),
                SQL(", ").join(map(Identifier, names)),
                SQL(", ").join(made),
                Identifier(table.name),
                Literal(begin),
                Literal(end),
                Identifier(key),
                Literal(str(FIRST)),
            )
        )
    for statement in (_DECISIONS, _DEPLOYMENTS, _EVENTS):
        connection.execute(SQL(statement).format(**words))


def _revoke(connection: psycopg.Connection) -> None:
    """One version of a model was revoked, and never approved anew."""
    connection.execute(
        "INSERT INTO revocations (id, model, version, digest, by, at, why)"
        " VALUES ('6666', 'model-1', '20', 'sha256:', 'erin', now(), 'The label leaked.')"
    )


def _discuss(connection: psycopg.Connection) -> None:
    """The run that is looked at was talked about."""
    connection.execute(
        "INSERT INTO comments (id, run_id, by, body, at)"
        " SELECT '5555' || n, %s, CASE WHEN n %% 2 = 0 THEN 'bob' ELSE 'alice' END,"
        " '@carol what about the **old** customers? See `age`.', now() + n * interval '1 s'"
        " FROM generate_series(1, 20) n",
        [str(FIRST)],
    )

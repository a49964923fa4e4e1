"""Decisions a second through the service, against the very same SQL sent by bare psycopg; pgbench beside it.

    python benchmarks/decisions.py [--seconds 1.5] [--rounds 4] [--profile]

One decision is recorded statement by statement as the driver sends it, and then sent again for other runs. Everything
takes turns on one durable database. Each decision closes its gate: checked, audited twice, wake-up queued, committed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from counting import counted, processor_ms, profiled
from psycopg.types.json import Jsonb
from stage import BOB, FIRST, Stage, about, in_threads, percentile, report, signed_in, stage

from signoff.domain.gate import Verdict
from signoff.service.decisions import Verdicts, decide_gate
from signoff.service.desk import Desk
from signoff.store import gates
from signoff.store.binaries import installed, program

GATES = 60_000
OF_PGBENCH = 5_000
"""How many runs each pgbench client may decide; their numbers are beyond those of the others."""
CLIENTS = 8
MARK = str(FIRST)

Sent = list[tuple[str, Any]]
Client = Callable[[int], None]


@contextmanager
def recorded() -> Iterator[Sent]:
    """What psycopg sends meanwhile, in order."""
    sent: Sent = []
    execute, many = psycopg.Cursor.execute, psycopg.Cursor.executemany

    def one(self: Any, query: Any, params: Any = None, **more: Any) -> Any:
        sent.append((query, params))
        return execute(self, query, params, **more)

    def several(self: Any, query: Any, params: Any, **more: Any) -> None:
        sent.extend((query, each) for each in params)
        many(self, query, params, **more)

    psycopg.Cursor.execute, psycopg.Cursor.executemany = one, several  # type: ignore[method-assign, assignment]
    try:
        yield sent
    finally:
        psycopg.Cursor.execute, psycopg.Cursor.executemany = execute, many  # type: ignore[method-assign]


def for_run(value: Any, number: str) -> Any:
    """A recorded parameter, for another run."""
    if isinstance(value, str):
        return value.replace(MARK, number)
    if isinstance(value, Jsonb):
        return Jsonb(value.obj.replace(MARK, number), dumps=lambda text: text)
    if isinstance(value, dict):
        return {name: for_run(each, number) for name, each in value.items()}
    if isinstance(value, list):
        return [for_run(each, number) for each in value]
    if isinstance(value, tuple):
        changed = [for_run(each, number) for each in value]
        return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)
    return value


def frozen(value: Any) -> Any:
    """A recorded parameter with its JSON written out, so that sending it again costs the bare client little."""
    if isinstance(value, Jsonb):
        return Jsonb(json.dumps(value.obj), dumps=lambda text: text)
    if isinstance(value, dict):
        return {name: frozen(each) for name, each in value.items()}
    if isinstance(value, list):
        return [frozen(each) for each in value]
    if isinstance(value, tuple):
        changed = [frozen(each) for each in value]
        return type(value)(*changed) if hasattr(value, "_fields") else tuple(changed)
    return value


def marked(sent: Sent) -> Sent:
    """`sent` with the decision's own random id replaced by one made of the run's number."""
    [decision] = [params for query, params in sent if "INSERT INTO decisions" in query]
    mine = decision["id"]
    return [
        (query, frozen({name: f"8888{MARK}" if value == mine else value for name, value in params.items()}))
        for query, params in sent
    ]


class Service:
    """Decides through the service."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        with desk.database.begin() as tx:
            self._digest = gates.list_gates(tx, [MARK])[0].digest
        self._bob = signed_in(BOB)

    def decide(self, number: int) -> None:
        """Approve the run of that number, as bob."""
        decide_gate(self._desk, self._bob, str(number), "approve", Verdicts(Verdict.APPROVE, self._digest))


class Bare:
    """Sends what was recorded, on a connection of its own."""

    def __init__(self, url: str, sent: Sent) -> None:
        self._connection = psycopg.connect(url, prepare_threshold=2)
        self._sent = sent

    def decide(self, number: int) -> None:
        """Send it for the run of that number."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for query, params in self._sent:
                cursor.execute(query, for_run(params, str(number)))
                if cursor.description is not None:
                    cursor.fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def rate(clients: list[Client], numbers: Iterator[int], seconds: float) -> tuple[float, list[float]]:
    """Decisions a second, and how long each took."""
    took: list[list[float]] = [[] for _ in clients]
    began = time.perf_counter()

    def work(index: int) -> None:
        while (start := time.perf_counter()) < began + seconds:
            clients[index](next(numbers))
            took[index].append(time.perf_counter() - start)

    in_threads(len(clients), work)
    done = list(itertools.chain.from_iterable(took))
    return len(done) / (time.perf_counter() - began), done


def pgbench_script(url: str, sent: Sent) -> str:
    """The recorded transaction for pgbench: numbers grow by one a transaction, each client in a range of its own."""
    first = FIRST + GATES
    lines = [f"\\set run {first} + :client_id * {OF_PGBENCH} + :i", "\\set i :i + 1", "BEGIN;"]
    with psycopg.connect(url) as connection:
        cursor = psycopg.ClientCursor(connection)
        for query, params in sent:
            text = cursor.mogrify(query, params).replace("\n", " ")
            lines.append(re.sub(r"E?'(?:[^']|'')*'", lambda found: spliced(found[0]), text) + ";")
    return "\n".join([*lines, "COMMIT;", ""])


def spliced(literal: str) -> str:
    """A literal with the run's number put in where the recorded one stands."""
    escaped = "E" if literal.startswith("E") else ""
    return "(" + literal.replace(MARK, f"' || :run || {escaped}'") + ")" if MARK in literal else literal


def pgbench(url: str, script: Path, seconds: float, offset: int) -> float:
    """Transactions a second."""
    argv = [str(program(installed(), "pgbench")), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2"]
    argv += ["-T", str(max(1, round(seconds))), "-D", f"i={offset}", "-f", str(script), url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None or done.returncode:
        print(f"pgbench: {done.stdout}\n{done.stderr}")
        return 0.0
    return float(found[1])


def measure(made: Stage, seconds: float, rounds: int, *, profile: bool) -> dict[str, object]:
    made.open_gates(GATES + CLIENTS * OF_PGBENCH)
    numbers = itertools.count(FIRST + 1)
    with made.desk() as desk:
        service = Service(desk)
        with recorded() as raw:
            service.decide(FIRST)
        sent = marked(raw)
        with counted() as count:
            service.decide(next(numbers))
        processor_ms(lambda: service.decide(next(numbers)), 200)
        spent = processor_ms(lambda: service.decide(next(numbers)), 500)
        if profile:
            profiled(lambda: service.decide(next(numbers)), 2000)
        bare = [Bare(made.url, sent) for _ in range(CLIENTS)]
        mine: list[Client] = [service.decide] * CLIENTS
        floor: list[Client] = [client.decide for client in bare]
        found: dict[str, list[float]] = {}
        latencies: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "decide.sql"
            script.write_text(pgbench_script(made.url, sent))
            for number in range(rounds + 1):
                one_bare, _ = rate(floor[:1], numbers, seconds)
                one, took = rate(mine[:1], numbers, seconds)
                many_bare, _ = rate(floor, numbers, seconds)
                many, _ = rate(mine, numbers, seconds)
                beside = pgbench(made.url, script, seconds, number * OF_PGBENCH // (rounds + 1))
                if number == 0:
                    continue  # warms everything up
                names, figures = ("1b", "1", "8b", "8", "pg"), (one_bare, one, many_bare, many, beside)
                for key, value in zip(names, figures, strict=True):
                    found.setdefault(key, []).append(value)
                latencies += took
                print(
                    f"  1 thread: bare {one_bare:5.0f}/s  service {one:5.0f}/s  {one / one_bare:.2f} x    "
                    f"8 threads: bare {many_bare:5.0f}/s  service {many:5.0f}/s  {many / many_bare:.2f} x    "
                    f"pgbench, 8 clients: {beside:5.0f}/s",
                    flush=True,
                )
        for client in bare:
            client.close()
    middle = {key: statistics.median(values) for key, values in found.items()}
    return {
        "statements_per_decision": count.statements,
        "service_processor_ms_per_decision": round(spent, 2),
        "bare_1_thread_per_second": round(middle["1b"]),
        "service_1_thread_per_second": round(middle["1"]),
        "ratio_1_thread": ratio(found["1"], found["1b"]),
        "bare_8_threads_per_second": round(middle["8b"]),
        "service_8_threads_per_second": round(middle["8"]),
        "ratio_8_threads": ratio(found["8"], found["8b"]),
        "pgbench_8_clients_per_second": round(middle["pg"]),
        "service_1_thread_p50_ms": round(percentile(latencies, 50) * 1000, 2),
        "service_1_thread_p99_ms": round(percentile(latencies, 99) * 1000, 2),
    }


def ratio(mine: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--profile", action="store_true", help="say where the time goes as well")
    arguments = parser.parse_args()
    known = about()
    print(known)
    with stage() as made:
        figures = measure(made, arguments.seconds, arguments.rounds, profile=arguments.profile)
    report("decisions", known, figures)


if __name__ == "__main__":
    main()

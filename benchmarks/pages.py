"""How long pages take among a million runs, and what a thousand open ones cost.

    python benchmarks/pages.py [--runs 1000000] [--rounds 100] [--open 1000] [--keep FOLDER]

The server is `signoff serve` in a process of its own, on a database with so many runs, of which 200 wait for bob; all
the others are over, as history.py fills it. Each page is asked for by one browser's connection, one after the other,
as somebody for whom much waits, as somebody for whom nothing does and as an administrator; beside how long it took
stands how much of the server's processor time it cost, for a busy machine changes the one and hardly the other. Then
so many pages follow over open streams, and a remark is made: how long until the last of them is told, what memory they
took, and how many database connections.

A million runs take two minutes to fill in. With --keep they stay in that folder, and the next time begins at once.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import selectors
import socket
import statistics
import time
from pathlib import Path

import psycopg
from history import fill
from rest import free_port, start_server
from stage import CAST, FIRST, Stage, about, percentile, report, stage

from signoff.domain.actor import SYSTEM, Directory, Person, Role
from signoff.service.administration import apply_people
from signoff.service.sessions import open_session
from signoff.service.streams import MOST as MOST_FOLLOWED

PAGES = {
    "inbox": ("bob", "/"),
    "inbox_of_a_submitter": ("alice", "/"),
    "inbox_of_nobody": ("dave", "/"),
    "inbox_of_an_admin": ("erin", "/"),
    "runs": ("bob", "/runs"),
    "runs_waiting": ("bob", "/runs?state=waiting"),
    "runs_of_a_model": ("bob", "/runs?model=model-0"),
    "runs_of_nobody": ("bob", "/runs?person=dave"),
    "models": ("bob", "/models"),
    "model": ("bob", "/models/model-1"),
    "deployments": ("bob", "/deployments"),
    "review": ("bob", f"/runs/{FIRST}/gates/approve"),
    "run": ("bob", f"/runs/{FIRST}"),
    "audit": ("erin", "/audit"),
    "audit_of_a_kind": ("erin", "/audit?type=run.errored"),
    "audit_of_a_person": ("erin", "/audit?actor=erin"),
}


def add_readers(made: Stage, count: int) -> list[str]:
    """So many people who read, for one may follow only so much at a time; their names."""
    readers = [Person(f"reader-{number}", frozenset({Role.VIEWER})) for number in range(count)]
    with made.desk(1) as desk:
        apply_people(desk, SYSTEM, Directory.of([*CAST, *readers]), {})
    return [one.name for one in readers]


def session(made: Stage, who: str) -> str:
    """A session of `who`, as a browser keeps it."""
    with made.desk(1) as desk:
        return open_session(desk, who, ["password"], address="127.0.0.1", agent="a benchmark")


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process used so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def ask(connection: http.client.HTTPConnection, path: str, secret: str) -> tuple[float, int]:
    """Seconds that the page took, and its bytes as they travel."""
    began = time.perf_counter()
    connection.request("GET", path, headers={"cookie": f"signoff={secret}", "accept-encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - began
    assert answer.status == http.client.OK, (path, answer.status, gzip.decompress(body)[:2000])
    return took, len(body)


def memory(pid: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def follow(port: int, path: str, secret: str) -> socket.socket:
    """One open stream that has said hello."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    opened.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: signoff={secret}\r\n\r\n".encode())
    heard = b""
    while b"event: hello" not in heard:
        heard += opened.recv(4096)
    return opened


def measure_open(made: Stage, port: int, pid: int, secret: str, count: int) -> dict[str, object]:
    """What `count` open pages cost, and when the last of them is told of a decision."""
    readers = [session(made, who) for who in add_readers(made, -(-count // MOST_FOLLOWED))]
    before = memory(pid)
    run = str(FIRST)
    streams = [follow(port, f"/runs/{run}/live", readers[number // MOST_FOLLOWED]) for number in range(count)]
    after = memory(pid)
    with psycopg.connect(made.owner) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    told = 0
    by_number = {stream.fileno(): stream for stream in streams}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            stream.setblocking(False)
            selector.register(stream, selectors.EVENT_READ)
        remark(port, run, secret)
        began = time.perf_counter()
        waiting = set(streams)
        while waiting and time.perf_counter() < began + 30:
            for key, _ in selector.select(1):
                stream = by_number[key.fd]
                if b"event: changed" in stream.recv(65536) and stream in waiting:
                    waiting.discard(stream)
                    told += 1
        last = time.perf_counter() - began
    for stream in streams:
        stream.close()
    return {
        "open_pages": count,
        "told": told,
        "last_told_after_ms": round(last * 1000),
        "memory_per_page_kB": round((after - before) * 1000 / count, 1),
        "database_connections": row[0] if row is not None else None,
    }


def remark(port: int, run: str, secret: str) -> None:
    """Say something about the run, so that its pages have something to hear."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    connection.request("POST", f"/api/v1/runs/{run}/comments", '{"body": "look"}', headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == http.client.CREATED, body
    connection.close()


def measure(made: Stage, count: int, rounds: int, opened: int) -> dict[str, object]:
    fill(made, count)
    port = free_port()
    server = start_server(made, port)
    figures: dict[str, object] = {"runs": count}
    try:
        connection = http.client.HTTPConnection("localhost", port, timeout=60)
        secrets = {who: session(made, who) for who in {who for who, _ in PAGES.values()}}
        for name, (who, path) in PAGES.items():
            for _ in range(5):
                ask(connection, path, secrets[who])
            before = processor_time(server.pid)
            found = [ask(connection, path, secrets[who]) for _ in range(rounds)]
            used = (processor_time(server.pid) - before) * 1000 / rounds
            took = [seconds * 1000 for seconds, _ in found]
            shown = {
                "p50_ms": round(statistics.median(took), 1),
                "p99_ms": round(percentile(took, 99), 1),
                "processor_ms": round(used, 1),
                "kB": round(found[-1][1] / 1000, 1),
            }
            figures |= {f"{name}_{what}": value for what, value in shown.items()}
            print(f"   {name:22}", "   ".join(f"{what} {value:6}" for what, value in shown.items()), flush=True)
        connection.close()
        figures |= measure_open(made, port, server.pid, secrets["bob"], opened)
    finally:
        server.terminate()
        server.wait()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--open", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="a folder in which the filled database stays for another time")
    arguments = parser.parse_args()
    known = about("fastapi", "uvicorn", "jinja2")
    print(known)
    with stage(arguments.keep) as made:
        figures = measure(made, arguments.runs, arguments.rounds, arguments.open)
    report("pages", known, figures)


if __name__ == "__main__":
    main()

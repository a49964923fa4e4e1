"""Nothing opens a connection to elsewhere but by the guarded client; each exception is named here, with its reason.

The contract `outbound` knows the HTTP library that is used; this knows the ways past it: the standard library's, and
those of libraries that come along.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "signoff"

WAYS_OUT = (
    "aiohttp",
    "apprise",
    "authlib.integrations",
    "ftplib",
    "http.client",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "imaplib",
    "poplib",
    "requests",
    "smtplib",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "xmlrpc.client",
)
CONNECTING = frozenset({"create_connection", "open_connection", "connect", "connect_ex"})

EXCEPTIONS = {
    "adapters/notify/chat.py": "sends to chat services that an administrator defined, by a library that knows them",
    "adapters/notify/mail.py": "hands mail to the server that SIGNOFF_SMTP_URL names",
    "adapters/deploy/server.py": "asks the model server of its own machine, which it started, what it serves",
    "adapters/registry/mlflow_files.py": "url2pathname: turns a file:// URL into a path and opens nothing",
    "engine/worker.py": "asks its own database whether it takes connections",
    "outbound/client.py": "the guarded client itself",
    "sdk/client.py": "names a type",
    "sdk/ci_job.py": "asks the CI system in whose job it runs for the job's own id token",
    "sdk/transport.py": "speaks to the server that its user chose",
    "server/background.py": "asks the server that it has just started on this machine whether it is ready",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that the source names in an import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def leads_out(source: str) -> bool:
    """Whether the source could open a connection to elsewhere."""
    tree = ast.parse(source)
    names = list(imported(tree))
    if any(name == way or name.startswith(f"{way}.") for name in names for way in WAYS_OUT):
        return True
    is_socket = any(name.split(".")[0] in {"socket", "asyncio"} for name in names)
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    inet = "AF_UNIX" not in source
    return is_socket and inet and any(isinstance(c.func, ast.Attribute) and c.func.attr in CONNECTING for c in calls)


def test_only_the_exceptions_open_connections_by_themselves() -> None:
    found = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if leads_out(file.read_text())}
    assert found == EXCEPTIONS.keys()


def test_a_new_way_out_would_be_found() -> None:
    assert leads_out("def f():\n    import urllib.request")
    assert leads_out("from urllib import request")
    assert leads_out("from authlib.integrations.httpx_client import OAuth2Client")
    assert leads_out("import socket\nsocket.create_connection(('a', 1))")
    assert not leads_out("from urllib.parse import urlsplit")
    assert not leads_out("import socket\nsocket.gethostname()")

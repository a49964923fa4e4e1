"""A CI system's issuer on loopback: a discovery document, keys that can be changed, and id tokens signed with them.

It also stands for GitHub's own service, which a job asks for a token: at `/id-token`, with the bearer of `ASKS_WITH`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

Key = RSAKey | ECKey | OctKey
ASKS_WITH = "the-runner"


@cache
def rsa(name: str, bits: int = 2048) -> RSAKey:
    """The RSA key of that name: making one takes long."""
    return RSAKey.generate_key(bits, {"kid": name, "use": "sig", "alg": "RS256"}, private=True)


@cache
def ec(name: str, curve: str = "P-256") -> ECKey:
    """The EC key of that name."""
    return ECKey.generate_key(curve, {"kid": name, "use": "sig"}, private=True)


class Issuer:
    """What the issuer shows, and how often it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.keys: list[Any] = [rsa("rsa-1").as_dict(private=False), ec("ec-1").as_dict(private=False)]
        self.description: dict[str, Any] = {"issuer": address, "jwks_uri": f"{address}/keys"}
        self.is_away = False
        self.job: Callable[[str], Mapping[str, Any]] | None = None
        """The claims of a token for an audience, for whom asks as a job."""
        self.asked: list[str] = []

    def token(self, claims: Mapping[str, Any], *, key: Key | None = None, **header: Any) -> str:
        """An id token, signed with the RSA key unless another one is given."""
        signer = key or rsa("rsa-1")
        algorithm = header.pop("alg", "ES256" if isinstance(signer, ECKey) else "RS256")
        given = {"alg": algorithm, "kid": signer.kid, **header}
        whole = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(whole, dict(claims), signer, algorithms=[algorithm])


@contextmanager
def an_issuer() -> Iterator[Issuer]:
    """An issuer that answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            shown = {"/.well-known/openid-configuration": issuer.description, "/keys": {"keys": issuer.keys}}
            found = shown.get(self.path)
            asked = urlsplit(self.path)
            is_job = self.headers["Authorization"] == f"bearer {ASKS_WITH}"
            if asked.path == "/id-token" and issuer.job is not None and is_job:
                found = {"value": issuer.token(issuer.job(parse_qs(asked.query)["audience"][0]))}
            body = json.dumps(found).encode()
            self.send_response(503 if issuer.is_away else 200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

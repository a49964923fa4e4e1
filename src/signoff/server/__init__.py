"""The ASGI application, and the processes of `signoff serve` and `signoff up`."""

from signoff.server.app import create_app
from signoff.server.stack import down, serve, up

__all__ = ["create_app", "down", "serve", "up"]

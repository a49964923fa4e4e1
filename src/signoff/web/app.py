"""The application of the pages: their routes, behind the door that every request passes.

`server` puts it beside REST.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI
from starlette.datastructures import State
from starlette.middleware.gzip import GZipMiddleware

from signoff.web import account, error_pages, sign_in, static_files
from signoff.web.door import Door
from signoff.web.forgery import refuse_forged

ROUTERS = (static_files.router, sign_in.router, account.router)


def create_pages(state: State) -> FastAPI:
    """The pages over the desk in `state`, which is the server's own."""
    app = FastAPI(
        openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, dependencies=[Depends(refuse_forged)]
    )
    app.state = state
    for router in ROUTERS:
        app.include_router(router)
    error_pages.install(app)
    app.add_middleware(Door)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    return app

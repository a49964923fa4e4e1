"""The application of the pages: their routes, behind the door that every request passes.

`server` puts it beside REST.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI
from starlette.datastructures import State
from starlette.middleware.gzip import GZipMiddleware

from signoff.web import (
    account,
    audit_page,
    chat_page,
    deployments_page,
    device,
    environments_page,
    error_pages,
    following,
    inbox,
    logs,
    model_pages,
    notifications_page,
    passkeys,
    pipelines,
    review,
    run_pages,
    settings_page,
    sign_in,
    single_sign_on,
    static_files,
    target_pages,
)
from signoff.web.door import Door
from signoff.web.forgery import refuse_forged

ROUTERS = (
    static_files.router,
    sign_in.router,
    single_sign_on.router,
    account.router,
    passkeys.router,
    device.router,
    inbox.router,
    following.router,
    review.router,
    run_pages.router,
    logs.router,
    model_pages.router,
    deployments_page.router,
    audit_page.router,
    pipelines.router,
    settings_page.router,
    environments_page.router,
    target_pages.router,
    notifications_page.router,
    chat_page.router,
)


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

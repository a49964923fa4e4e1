"""Targets, deliveries and how one is told, over REST: `client.notifications`. One method for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from signoff.wire.body import Page
from signoff.wire.notifications import (
    ChatAccountBody,
    DeliveryBody,
    MadeTargetBody,
    PauseRequest,
    PreferencesBody,
    TargetBody,
    TargetRequest,
)

if TYPE_CHECKING:
    from signoff.sdk.transport import Transport


class Notifications:
    """Who is told through what. Every method raises ApiError or ServerUnreachableError."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list_targets(self) -> Page[TargetBody]:
        """Every target."""
        return self._http.ask("GET", "/targets", Page[TargetBody])

    def add_target(self, request: TargetRequest) -> MadeTargetBody:
        """Define a target; a webhook's secret is in the answer and nowhere else."""
        return self._http.ask("POST", "/targets", MadeTargetBody, body=request)

    def try_target(self, name: str) -> DeliveryBody:
        """Send something harmless through a target."""
        return self._http.ask("POST", f"/targets/{_of(name)}/test", DeliveryBody)

    def pause_target(self, name: str, why: str = "") -> TargetBody:
        """Hold back whatever is due for a target."""
        return self._http.ask("POST", f"/targets/{_of(name)}/pause", TargetBody, body=PauseRequest(why=why))

    def resume_target(self, name: str) -> TargetBody:
        """Send again through a target."""
        return self._http.ask("POST", f"/targets/{_of(name)}/resume", TargetBody)

    def remove_target(self, name: str) -> None:
        """Forget a target."""
        self._http.send("DELETE", f"/targets/{_of(name)}")

    def list_deliveries(
        self,
        *,
        target: str | None = None,
        run: str | None = None,
        state: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[DeliveryBody]:
        """Deliveries, newest first; those of one run for whoever sees it, all for administrators."""
        query = {"target": target, "run": run, "state": state, "cursor": cursor, "limit": str(limit)}
        return self._http.ask("GET", "/deliveries", Page[DeliveryBody], query=query)

    def get_delivery(self, delivery_id: str) -> DeliveryBody:
        """One delivery."""
        return self._http.ask("GET", f"/deliveries/{_of(delivery_id)}", DeliveryBody)

    def redeliver(self, delivery_id: str) -> DeliveryBody:
        """Send a delivery once more."""
        return self._http.ask("POST", f"/deliveries/{_of(delivery_id)}/redeliver", DeliveryBody)

    def list_chats(self) -> Page[ChatAccountBody]:
        """Every linked user of a chat."""
        return self._http.ask("GET", "/chats", Page[ChatAccountBody])

    def list_my_chats(self) -> Page[ChatAccountBody]:
        """The users of chats that are the caller."""
        return self._http.ask("GET", "/me/chats", Page[ChatAccountBody])

    def unlink_chat(self, team: str, user: str) -> ChatAccountBody:
        """A user of a chat is nobody here any more."""
        return self._http.ask("DELETE", f"/chats/{_of(team)}/{_of(user)}", ChatAccountBody)

    def get_preferences(self) -> PreferencesBody:
        """How the caller is told."""
        return self._http.ask("GET", "/me/notifications", PreferencesBody)

    def set_preferences(self, request: PreferencesBody) -> PreferencesBody:
        """Choose how the caller is told."""
        return self._http.ask("PUT", "/me/notifications", PreferencesBody, body=request)


def _of(name: str) -> str:
    return quote(name, safe="")

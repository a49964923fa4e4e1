"""What a client can run into besides what the server refuses in words. Imported by `sdk` and `cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signoff.domain.errors import SignoffError

if TYPE_CHECKING:
    from signoff.wire.body import Place


class ApiError(SignoffError):
    """The server refused: `code` is one of `domain.errors`, `status` HTTP's, `errors` name places in what was sent."""

    def __init__(
        self,
        what: str,
        hint: str = "",
        *,
        code: str,
        status: int,
        errors: tuple[Place, ...] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(what, hint)
        self.code = code  # type: ignore[misc]  # the server's, where a subclass has its own
        self.status = status
        self.errors = errors
        self.request_id = request_id


class ServerUnreachableError(SignoffError):
    """Nobody answered at the server's address."""

    code = "server_unreachable"


class WaitedTooLongError(SignoffError, TimeoutError):
    """The run had not ended when the time given was over; it goes on."""

    code = "waited_too_long"

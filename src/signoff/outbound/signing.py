"""Signatures by the Standard Webhooks specification, for whoever sends webhooks: notices, and orders to deploy.

https://www.standardwebhooks.com. The one owner of its reference library. The receiver knows a repetition by the id.
"""

from __future__ import annotations

from binascii import Error as NoBase64Error
from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from signoff.domain.errors import InvalidError
from signoff.domain.secret import Secret


def signed(secret: Secret, message_id: str, at: datetime, body: str) -> dict[str, str]:
    """The headers by which the receiver of `body`, sent at `at`, knows who sent it.

    Raises:
        InvalidError: the secret cannot be one.
    """
    now = at.astimezone(UTC)
    try:
        signature = Webhook(secret.reveal()).sign(message_id, now, body)
    except (EmptyWebhookSecretError, NoBase64Error, ValueError) as error:
        raise InvalidError(
            "The secret is none that webhooks are signed with.", "It is whsec_ and the base64 of 24 to 64 bytes."
        ) from error
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }

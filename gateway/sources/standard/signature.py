"""The signature scheme of the Standard Webhooks specification, by its library."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from gateway.sources.signatures import BadSignatureError, SignedRequest, check_signing_time
from gateway.sources.snapshots import content_id

__all__ = ["StandardSignature"]

_PREFIX = "whsec_"
_MAX_SIGNATURES = 16


class StandardSignature:
    """
    Verifies and makes the headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``.

    The library's own check reads a clock and raises other errors for malformed headers, so the library only
    computes the signature here. A secret without ``whsec_`` is taken as it is. Svix, where the specification
    comes from, may call the headers ``svix-id`` and so on; the three are then read by those names.
    Source: https://github.com/standard-webhooks/standard-webhooks, ``spec/standard-webhooks.md``
    """

    header = "webhook-signature"
    about = "the library of Standard Webhooks: `v1,` HMAC-SHA256, base64, of `{id}.{time}.{body}`"
    covers_body = True
    dated = True

    def sign(self, secret: str, request: SignedRequest, now: int) -> dict[str, str]:
        """Return the headers with which a sender would send this body at ``now`` (UTC milliseconds)."""
        event_id = request.headers.get("webhook-id") or f"msg_{content_id(request.body, str(now))}"
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(now // 1000),
            self.header: _signature(secret, event_id, now // 1000, request.body),
        }

    def verify(self, request: SignedRequest, secrets: Sequence[str], now: int) -> None:
        """Return when one of the secrets signed this near ``now``; raise BadSignatureError otherwise."""
        own = self.header in request.headers or "webhook-id" in request.headers
        prefix = "webhook" if own else "svix"
        event_id, time, signatures = (
            request.headers.get(f"{prefix}-{name}", "") for name in ("id", "timestamp", "signature")
        )
        given = signatures.split(" ")[:_MAX_SIGNATURES]
        if not event_id or not (time.isascii() and time.isdecimal() and len(time) <= 12):
            raise BadSignatureError("webhook-id or webhook-timestamp is missing")
        try:
            expected = [_signature(secret, event_id, int(time), request.body) for secret in secrets]
        except UnicodeDecodeError:
            raise BadSignatureError("the body is not UTF-8") from None
        matches = [
            hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))
            for one in expected
            for other in given
        ]
        if not any(matches):
            raise BadSignatureError("the signature does not match")
        check_signing_time(int(time) * 1000, now)


def _signature(secret: str, event_id: str, seconds: int, body: bytes) -> str:
    if not secret.startswith(_PREFIX):
        secret = _PREFIX + base64.b64encode(secret.encode()).decode()
    return Webhook(secret).sign(event_id, datetime.fromtimestamp(seconds, UTC), body.decode())

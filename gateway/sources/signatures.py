"""Proof that a webhook comes from its vendor: checked on the raw bytes, before anything is parsed."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stripe import SignatureVerificationError, WebhookSignature

from gateway.http.errors import Fault
from gateway.http.times import milliseconds

__all__ = ["TOLERANCE_MS", "ZENDESK", "BadSignatureError", "HmacScheme", "verify_stripe"]

TOLERANCE_MS = 300_000
"""How far a signed time may be from now, either way."""


class BadSignatureError(Exception):
    """The signature does not prove the body; ``reason`` is ``signature`` or ``stale``."""

    def __init__(self, detail: str, reason: str = "signature") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """
    How a vendor signs: an HMAC, in one header, over a time in another and the body.

    ``before_body`` is what is signed before the body, with ``{timestamp}`` for the time as the header has it.
    """

    signature_header: str
    timestamp_header: str
    before_body: str = "{timestamp}"
    algorithm: str = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    prefix: str = ""

    def sign(self, secret: str, timestamp: str, body: bytes) -> str:
        """Return the signature header of a body."""
        signed = self.before_body.format(timestamp=timestamp).encode() + body
        digest = hmac.digest(secret.encode(), signed, self.algorithm)
        return self.prefix + (digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode())

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: int) -> None:
        """Return when one of the secrets signed this body near ``now`` (UTC ms); raise BadSignatureError."""
        given, timestamp = headers.get(self.signature_header), headers.get(self.timestamp_header)
        if not given or not timestamp:
            raise BadSignatureError(f"{self.signature_header} or {self.timestamp_header} is missing")
        # Every secret is tried and the texts are compared, so no timing and no other spelling passes.
        proofs = [
            hmac.compare_digest(self.sign(s, timestamp, body).encode(), given.encode()) for s in secrets
        ]
        if not any(proofs):
            raise BadSignatureError("the signature does not match")
        try:
            signed_at = milliseconds(timestamp, "")
        except Fault as fault:
            raise BadSignatureError(f"{self.timestamp_header}: {fault.detail}") from fault
        _near(signed_at, now)


ZENDESK = HmacScheme("x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp")
"""Source: https://developer.zendesk.com/documentation/webhooks/verifying/"""


def verify_stripe(header: str | None, body: bytes, secrets: Sequence[str], now: int) -> None:
    """
    Return when one of the secrets signed this body near ``now`` (UTC ms); raise BadSignatureError.

    Source: https://docs.stripe.com/webhooks#verify-manually; the library takes any time in the future,
    this function doesn't.
    """
    if not header or not header.isascii():
        raise BadSignatureError("Stripe-Signature is missing")
    proofs = [_proves(header, body, secret) for secret in secrets]
    if not any(proofs):
        raise BadSignatureError("the signature does not match")
    signed_at = next(item.split("=", 2)[1] for item in header.split(",") if item.split("=", 2)[0] == "t")
    _near(int(signed_at) * 1000, now)


def _proves(header: str, body: bytes, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, header, secret))
    except (SignatureVerificationError, UnicodeDecodeError):
        return False


def _near(signed_at: int, now: int) -> None:
    if abs(now - signed_at) > TOLERANCE_MS:
        raise BadSignatureError(
            f"signed {(now - signed_at) // 1000} s ago; at most 300 s either way", "stale"
        )

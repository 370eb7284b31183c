"""Stripe's signature scheme, by Stripe's library."""

from __future__ import annotations

from collections.abc import Sequence

from stripe import SignatureVerificationError, WebhookSignature

from gateway.sources.signatures import BadSignatureError, SignedRequest, check_signing_time

__all__ = ["StripeSignature"]

_MAX_HEADER = 1_024
"""Characters of the header; Stripe sends one signature for each active secret, of 64 characters."""


class StripeSignature:
    """
    Verifies and makes the header ``Stripe-Signature``.

    The library accepts every time in the future; this class does not.
    Source: https://docs.stripe.com/webhooks#verify-manually
    """

    header = "stripe-signature"
    about = "Stripe's library: `t=TIME,v1=` HMAC-SHA256, hex, of `{time}.{body}`"
    covers_body = True
    dated = True

    def sign(self, secret: str, request: SignedRequest, now: int) -> dict[str, str]:
        """Return the headers with which Stripe would send this body at ``now`` (UTC milliseconds)."""
        header = WebhookSignature.generate_signature_header(request.body.decode(), secret, now // 1000)
        return {self.header: header}

    def verify(self, request: SignedRequest, secrets: Sequence[str], now: int) -> None:
        """Return when one of the secrets signed this body near ``now``; raise BadSignatureError otherwise."""
        body, header = request.body, request.headers.get(self.header)
        if not header or not header.isascii():
            raise BadSignatureError("Stripe-Signature is missing")
        if len(header) > _MAX_HEADER:
            raise BadSignatureError(f"Stripe-Signature is longer than {_MAX_HEADER} characters")
        try:
            body.decode()
        except UnicodeDecodeError:
            raise BadSignatureError("the body is not UTF-8, which Stripe always sends") from None
        matches = [_matches(header, body, secret) for secret in secrets]
        if not any(matches):
            raise BadSignatureError("the signature does not match")
        signed_at = next(item.split("=", 2)[1] for item in header.split(",") if item.split("=", 2)[0] == "t")
        check_signing_time(int(signed_at) * 1000, now)


def _matches(header: str, body: bytes, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, header, secret))
    except SignatureVerificationError:
        return False

"""Signature schemes of webhooks: a signature is verified on the raw bytes, before anything is parsed."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from schemas.times import iso

__all__ = ["TOLERANCE_MS", "BadSignatureError", "HmacScheme", "SignatureScheme", "check_signing_time"]

TOLERANCE_MS = 300_000
"""Distance of the signed time of a webhook from now, either way; beyond it 401."""


class BadSignatureError(Exception):
    """
    The signature does not prove that the vendor sent this body now.

    ``reason`` is ``signature``, or ``stale`` for a good signature from another time.
    """

    def __init__(self, detail: str, reason: str = "signature") -> None:
        super().__init__(detail)
        self.reason = reason


class SignatureScheme(Protocol):
    """A vendor's way to sign the bodies of its webhooks; times are UTC milliseconds."""

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: int, /) -> None:
        """Return when one of the secrets signed this body near ``now``; raise BadSignatureError otherwise."""

    def sign(self, secret: str, body: bytes, now: int, /) -> dict[str, str]:
        """Return the headers with which the vendor would send this body at ``now``."""


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """
    An HMAC, in one header, over a time in ISO 8601, in another header, and the body.

    ``before_body`` is signed before the body, with ``{timestamp}`` for the time as its header gives it.
    """

    signature_header: str
    timestamp_header: str
    before_body: str = "{timestamp}"
    algorithm: str = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    prefix: str = ""

    def sign(self, secret: str, body: bytes, now: int) -> dict[str, str]:
        """Return the headers with which the vendor would send this body at ``now``."""
        return self.headers(secret, iso(now), body)

    def headers(self, secret: str, timestamp: str, body: bytes) -> dict[str, str]:
        """Return the headers of a body that is signed with this text as its time."""
        return {
            self.signature_header: self._signature(secret, timestamp, body),
            self.timestamp_header: timestamp,
        }

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: int) -> None:
        """Return when one of the secrets signed this body near ``now``; raise BadSignatureError otherwise."""
        signature, timestamp = headers.get(self.signature_header), headers.get(self.timestamp_header)
        if not signature or not timestamp:
            raise BadSignatureError(f"{self.signature_header} or {self.timestamp_header} is missing")
        # Every secret is tried, and texts are compared instead of decoded bytes: so the time taken reveals
        # nothing, and no other spelling of the same bytes is accepted.
        matches = [
            hmac.compare_digest(self._signature(secret, timestamp, body).encode(), signature.encode())
            for secret in secrets
        ]
        if not any(matches):
            raise BadSignatureError("the signature does not match")
        try:
            signed_at = milliseconds(timestamp, "")
        except Fault as fault:
            raise BadSignatureError(f"{self.timestamp_header}: {fault.detail}") from fault
        check_signing_time(signed_at, now)

    def _signature(self, secret: str, timestamp: str, body: bytes) -> str:
        signed = self.before_body.format(timestamp=timestamp).encode() + body
        digest = hmac.digest(secret.encode(), signed, self.algorithm)
        return self.prefix + (digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode())


def check_signing_time(signed_at: int, now: int) -> None:
    """Raise BadSignatureError, reason ``stale``, when the two are further apart than the tolerance."""
    if abs(now - signed_at) > TOLERANCE_MS:
        raise BadSignatureError(
            f"signed {(now - signed_at) // 1000} s ago; at most 300 s either way", "stale"
        )

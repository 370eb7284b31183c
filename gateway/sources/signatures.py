"""
Signature schemes of webhooks: how a request proves its sender, verified on the raw bytes before any parsing.

A vendor's scheme is one value, declared beside its mapping; docs/sources/README.md has the table of all.
Every scheme takes several secrets at once, so that a secret can be rotated without losing an event, and where
the vendor signs a time, it must be near now, either way.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import parse_qs, urlsplit

from gateway.http.errors import Fault
from gateway.http.times import milliseconds
from schemas.times import iso

__all__ = [
    "TOLERANCE_MS",
    "BadSignatureError",
    "HmacScheme",
    "SharedSecret",
    "SignatureScheme",
    "SignedRequest",
    "check_signing_time",
]

TOLERANCE_MS = 300_000
"""Distance of the signed time of a webhook from now, either way; beyond it 401."""

_FIELDS = re.compile(r"\{(time|body|method|url)\}")


class BadSignatureError(Exception):
    """
    The signature does not prove that the vendor sent this body now.

    ``reason`` is ``signature``, or ``stale`` for a good signature from another time.
    """

    def __init__(self, detail: str, reason: str = "signature") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that a vendor signs; ``url`` is the public one, header names are lower case."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


class SignatureScheme(Protocol):
    """A vendor's way to prove its webhooks; times are UTC milliseconds."""

    @property
    def header(self) -> str:
        """The header that carries the proof."""

    @property
    def about(self) -> str:
        """The scheme in words, for the documentation."""

    @property
    def covers_body(self) -> bool:
        """Whether the proof depends on the body; a shared secret's doesn't."""

    @property
    def dated(self) -> bool:
        """Whether the time of sending is part of the proof."""

    def verify(self, request: SignedRequest, secrets: Sequence[str], now: int, /) -> None:
        """Return when one of the secrets signed this near ``now``; raise BadSignatureError otherwise."""

    def sign(self, secret: str, request: SignedRequest, now: int, /) -> dict[str, str]:
        """Return the headers with which the vendor would send this request at ``now``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme:
    """
    An HMAC in a header.

    ``signed`` is what is signed: a text with ``{time}``, ``{body}``, ``{method}`` and ``{url}``. The time
    stands in ``time_header`` as ``time_form`` says; where that is ``header`` itself, the header is
    ``t=TIME,v1=SIGNATURE``. Without ``time_header`` no time is signed.
    """

    header: str
    signed: str = "{body}"
    digest: Literal["sha1", "sha256"] = "sha256"
    encoding: Literal["base64", "hex"] = "hex"
    prefix: str = ""
    time_header: str | None = None
    time_form: Literal["iso", "seconds", "milliseconds"] = "seconds"

    @property
    def about(self) -> str:
        """The scheme in words."""
        prefix = f"`{self.prefix}` and " if self.prefix else ""
        own = self.time_header not in (None, self.header)
        time = f", time in `{self.time_header}`" if own else ""
        form = "`t=TIME,v1=` and " if self.time_header == self.header else ""
        hmac_of = f"HMAC-{self.digest.upper()}, {self.encoding}, of `{self.signed}`"
        return f"{prefix}{form}{hmac_of}{time}"

    @property
    def covers_body(self) -> bool:
        """Whether the proof depends on the body."""
        return True

    @property
    def dated(self) -> bool:
        """Whether the time of sending is part of the proof."""
        return self.time_header is not None

    def sign(self, secret: str, request: SignedRequest, now: int) -> dict[str, str]:
        """Return the headers with which the vendor would send this request at ``now``."""
        forms = {"iso": iso(now), "seconds": str(now // 1000), "milliseconds": str(now)}
        return self.headers(secret, forms[self.time_form], request)

    def headers(self, secret: str, time: str, request: SignedRequest) -> dict[str, str]:
        """Return the headers of a request that is signed with this text as its time."""
        signature = self._signature(secret, time, request)
        if self.time_header is None:
            return {self.header: signature}
        if self.time_header == self.header:
            return {self.header: f"t={time},v1={signature}"}
        return {self.header: signature, self.time_header: time}

    def verify(self, request: SignedRequest, secrets: Sequence[str], now: int) -> None:
        """Return when one of the secrets signed this near ``now``; raise BadSignatureError otherwise."""
        signature, time = self._parts(request.headers)
        # Every secret is tried, and texts are compared instead of decoded bytes: so the time taken reveals
        # nothing, and no other spelling of the same bytes is accepted.
        matches = [
            hmac.compare_digest(self._signature(secret, time, request).encode(), signature.encode())
            for secret in secrets
        ]
        if not any(matches):
            raise BadSignatureError("the signature does not match")
        if self.time_header is not None:
            check_signing_time(self._moment(time), now)

    def _parts(self, headers: Mapping[str, str]) -> tuple[str, str]:
        """Return the signature and the time of a request."""
        signature = headers.get(self.header, "")
        if self.time_header == self.header:
            time, _, signature = signature.partition(",v1=")
            time = time.removeprefix("t=") if time.startswith("t=") else ""
        else:
            time = "" if self.time_header is None else headers.get(self.time_header, "")
        if not signature or (self.time_header is not None and not time):
            wanted = dict.fromkeys(name for name in (self.header, self.time_header) if name)
            raise BadSignatureError(f"{' or '.join(wanted)} is missing")
        return signature, time

    def _moment(self, time: str) -> int:
        try:
            if self.time_form == "iso":
                return milliseconds(time, "")
            if not (time.isascii() and time.isdecimal() and len(time) <= 15):
                raise BadSignatureError(f"{self.time_header}: not a time in {self.time_form}")
            return int(time) * (1000 if self.time_form == "seconds" else 1)
        except Fault as fault:
            raise BadSignatureError(f"{self.time_header}: {fault.detail}") from fault

    def _signature(self, secret: str, time: str, request: SignedRequest) -> str:
        values = {"time": time.encode(), "body": request.body}
        values |= {"method": request.method.encode(), "url": request.url.encode()}
        parts = _FIELDS.split(self.signed)  # texts and names of fields, in turn
        signed = b"".join(values[part] if n % 2 else part.encode() for n, part in enumerate(parts))
        digest = hmac.digest(secret.encode(), signed, self.digest)
        return self.prefix + (digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode())


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """
    A secret that the vendor sends along instead of a signature: weaker, and all that some vendors offer.

    It is the user name or the password of Basic auth, as in an address ``https://any:SECRET@host``, or the
    parameter ``key`` of the address.
    """

    header: str = "authorization"

    @property
    def about(self) -> str:
        """The scheme in words."""
        return "secret in the address: as the password of Basic auth, or as `?key=`"

    @property
    def covers_body(self) -> bool:
        """Whether the proof depends on the body."""
        return False

    @property
    def dated(self) -> bool:
        """Whether the time of sending is part of the proof."""
        return False

    def sign(self, secret: str, _request: SignedRequest, _now: int) -> dict[str, str]:
        """Return the headers with which the vendor would send this request."""
        return {self.header: "Basic " + base64.b64encode(f"bellbuoy:{secret}".encode()).decode()}

    def verify(self, request: SignedRequest, secrets: Sequence[str], _now: int) -> None:
        """Return when the request carries one of the secrets; raise BadSignatureError otherwise."""
        carried = _basic(request.headers.get(self.header, ""))
        carried = carried or parse_qs(urlsplit(request.url).query).get("key", [])
        matches = [
            hmac.compare_digest(secret.encode(), each.encode("utf-8", "surrogatepass"))
            for secret in secrets
            for each in carried[:3]
        ]
        if not any(matches):
            raise BadSignatureError("the secret in the address is missing or another one")


def check_signing_time(signed_at: int, now: int) -> None:
    """Raise BadSignatureError, reason ``stale``, when the two are further apart than the tolerance."""
    if abs(now - signed_at) > TOLERANCE_MS:
        raise BadSignatureError(
            f"signed {(now - signed_at) // 1000} s ago; at most 300 s either way", "stale"
        )


def _basic(authorization: str) -> list[str]:
    """Return the user name and the password of Basic auth, those that are not empty."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return []
    return [each for each in (password, user) if each]

"""Authentication by write key: which tenant a request comes from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Mapping

from gateway.http.errors import HttpError

__all__ = ["WriteKeys"]


class WriteKeys:
    """
    Table from write key to tenant; made from each tenant's keys.

    A key is looked up by its keyed digest, whose key only this process knows, so that the time a look-up
    takes does not reveal how much of a guessed write key is right.
    """

    def __init__(self, keys: Mapping[str, Iterable[str]]) -> None:
        self._digest_key = secrets.token_bytes(32)
        self._tenants = {self._digest(key): tenant for tenant, own in keys.items() for key in own}

    def from_header(self, authorization: str | None) -> str | None:
        """Return the tenant of a Basic (key as user name, no password) or Bearer header, or ``None``."""
        scheme, _, credentials = (authorization or "").strip().partition(" ")
        if scheme.lower() == "bearer":
            return self.tenant(credentials.strip())
        if scheme.lower() != "basic":
            return None
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        return self.tenant(decoded.partition(":")[0])

    def tenant(self, key: object) -> str | None:
        """Return the tenant that a write key belongs to, or ``None``."""
        return self._tenants.get(self._digest(key)) if isinstance(key, str) else None

    @staticmethod
    def unauthorized() -> HttpError:
        """Return the answer to a request without a known write key."""
        return HttpError(
            401,
            "unauthorized",
            "unknown write key: send it as Basic auth user name or as writeKey in the body",
        )

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(
            key.encode("utf-8", "surrogatepass"), key=self._digest_key, digest_size=32
        ).digest()

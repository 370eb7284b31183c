"""Write keys: who a request of the tracking API comes from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping

from gateway.http.errors import HttpError
from gateway.settings import TenantSettings

__all__ = ["WriteKeys"]


class WriteKeys:
    """
    Every tenant's write keys.

    A key is looked up by its digest under a secret of this process, so that the time a look-up takes
    says nothing about how much of a guessed key is right.
    """

    def __init__(self, tenants: Mapping[str, TenantSettings]) -> None:
        self._secret = secrets.token_bytes(32)
        self._tenants = {
            self._digest(key.get_secret_value()): tenant
            for tenant, settings in tenants.items()
            for key in settings.write_keys
        }

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
        """Return the tenant a write key belongs to, or ``None``."""
        return self._tenants.get(self._digest(key)) if isinstance(key, str) else None

    @staticmethod
    def refusal() -> HttpError:
        """Return the answer to a request without a key that is known."""
        return HttpError(
            401,
            "unauthorized",
            "unknown write key: send it as Basic auth user name or as writeKey in the body",
        )

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(
            key.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=32
        ).digest()

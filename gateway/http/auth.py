"""Authentication by key: which tenant a request comes from, and what its sender may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.http.errors import HttpError

__all__ = ["ApiKeys", "Grant", "Scope"]

Scope: TypeAlias = Literal["track", "server"]
"""
What a key allows.

``track``: the tracking routes. Such a key, a write key, stands in web pages and apps, where anyone can read
it. ``server``: the tracking routes and typed events. Such a key stays on the tenant's own machines.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """The tenant that a key belongs to, and the key's scope."""

    tenant: str
    scope: Scope


class ApiKeys:
    """
    Table from key to grant; made from each tenant's keys, by scope.

    A key is looked up by its keyed digest, whose key only this process knows, so that the time a look-up
    takes does not reveal how much of a guessed key is right.
    """

    def __init__(self, keys: Mapping[Scope, Mapping[str, Iterable[str]]]) -> None:
        self._digest_key = secrets.token_bytes(32)
        self._grants = {
            self._digest(key): Grant(tenant, scope)
            for scope, tenants in keys.items()
            for tenant, own in tenants.items()
            for key in own
        }

    def from_header(self, authorization: str | None) -> Grant | None:
        """
        Return the grant of a Basic (key as user name, no password) or Bearer header.

        ``None`` where the header names no key: the body may then. Raises HttpError (401) for an unknown key.
        """
        key = _key_in(authorization)
        return self.grant(key) if key else None

    def grant(self, key: object) -> Grant:
        """Return the grant of a key; raise HttpError (401) for an unknown one and for what is no text."""
        grant = self._grants.get(self._digest(key)) if isinstance(key, str) else None
        if grant is None:
            raise HttpError(
                401,
                "unauthorized",
                "unknown key: send one of the tenant's keys as Basic auth user name or as Bearer token, "
                "or on the tracking routes as writeKey in the body",
            )
        return grant

    def server_grant(self, authorization: str | None) -> Grant:
        """Return the grant of the server key in a header; raise HttpError (401, or 403 for a write key)."""
        grant = self.from_header(authorization) or self.grant(None)
        if grant.scope != "server":
            raise HttpError(
                403,
                "missing_scope",
                "typed events need the scope `server`, and this key has the scope `track` only: send one of "
                f"gateway.tenants.{grant.tenant}.server_keys instead of one of its write_keys",
            )
        return grant

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(
            key.encode("utf-8", "surrogatepass"), key=self._digest_key, digest_size=32
        ).digest()


def _key_in(authorization: str | None) -> str | None:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[0]

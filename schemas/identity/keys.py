"""
Record keys and their partitions.

A key is made of tenant and account; the partitioner is Kafka's murmur2, which the Java client uses by default
and librdkafka calls ``murmur2_random``. The hash is written out here, and compared with a client's in a test,
because no client may be imported by this package. Source: org.apache.kafka.common.utils.Utils.murmur2.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "ALL_TENANTS",
    "PARTITIONER",
    "account_key",
    "partition_of",
    "split_key",
    "valid_account",
    "valid_tenant",
]

ALL_TENANTS = "*"
"""The tenant of a change that applies to all tenants; no tenant can have this name."""

PARTITIONER = "murmur2_random"
"""librdkafka's name for the partitioner that every producer must use."""

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62})\Z")
_MAX_ACCOUNT = 256
"""Characters of an account id; a longer one is `invalid`."""


def valid_tenant(tenant: str) -> bool:
    """Tell whether a tenant's name may be part of a key: 1 to 63 of a-z, 0-9, _ and -."""
    return _TENANT.match(tenant) is not None


def valid_account(account_id: str) -> bool:
    """Tell whether an account id may be part of a key: 1 to 256 printable characters, not all blank."""
    return 0 < len(account_id) <= _MAX_ACCOUNT and account_id.isprintable() and not account_id.isspace()


def account_key(tenant: str, account_id: str) -> bytes:
    """Return the record key of an account: ``tenant:account`` in UTF-8."""
    return f"{tenant}:{account_id}".encode()


def split_key(key: bytes) -> tuple[str, str]:
    """Return the tenant and account in a key; raise ValueError where it is not of that form."""
    tenant, colon, account = key.decode().partition(":")
    if not colon:
        raise ValueError(f"{key!r} is not tenant:account")
    return tenant, account


@lru_cache(maxsize=262_144)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key among this number of partitions."""
    return (_murmur2(key) & 0x7FFFFFFF) % partitions


def _murmur2(data: bytes) -> int:
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = h * m & mask ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)

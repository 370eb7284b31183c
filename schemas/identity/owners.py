"""
The account id under which alerts go to their owners.

All owners of a tenant share one id, and so one partition: what concerns many owners at once, such as a storm
of alerts, is seen in one place and in one order.
"""

from __future__ import annotations

from schemas.identity.aliases import ALIAS

__all__ = ["OWNERS"]

OWNERS = f"{ALIAS}owners"
"""The account id of a tenant's owners; it is no form of an alias, so nobody can send events of it."""

"""Rights: what the roles of people and the scopes of programs allow, tenant by tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bellbuoy.console_settings import GrantSettings, Role, Scope, TokenSettings

__all__ = ["ALL", "ROLES", "Permission", "Rights", "of_claims", "of_everything", "of_token"]

Permission = Literal["accounts", "act", "team", "model", "producers", "repair", "pipeline"]
"""One thing that is allowed: to see accounts and alerts, to act on them, to see the team's work, the
models, records that could not be used, to repair those, and to see the pipeline."""

ALL: frozenset[Permission] = frozenset(
    ("accounts", "act", "team", "model", "producers", "repair", "pipeline")
)

ROLES: Mapping[Role, frozenset[Permission]] = {
    "csm": frozenset(("accounts", "act")),
    "lead": frozenset(("accounts", "act", "team")),
    "cs_ops": frozenset(("accounts", "act", "team", "model", "producers", "repair")),
    "producer": frozenset(("producers", "repair")),
    "sre": frozenset(("pipeline", "producers", "repair")),
}
"""What each role allows."""

_SCOPES: Mapping[Scope, frozenset[Permission]] = {
    "read": frozenset(("accounts",)),
    "act": frozenset(("act",)),
}


@dataclass(frozen=True, slots=True)
class Rights:
    """Permissions of a person or a program, by tenant; a tenant not in it does not exist for them."""

    by_tenant: Mapping[str, frozenset[Permission]]

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants of which they may see anything."""
        return tuple(self.by_tenant)

    def may(self, permission: Permission, tenant: str) -> bool:
        """Tell whether something is allowed for a tenant."""
        return permission in self.by_tenant.get(tenant, ())


def of_everything(tenants: Iterable[str]) -> Rights:
    """Return the rights of one who may do everything for these tenants."""
    return Rights(dict.fromkeys(tenants, ALL))


def of_claims(values: Iterable[str], grants: Mapping[str, GrantSettings], tenants: tuple[str, ...]) -> Rights:
    """Return what the values of a person's claim grant; ``tenants`` are those that the console shows."""
    found: dict[str, frozenset[Permission]] = {}
    present = [grants[value] for value in values if value in grants]
    for tenant in tenants:
        roles = {role for grant in present if tenant in (grant.tenants or tenants) for role in grant.roles}
        if roles:
            found[tenant] = frozenset[Permission]().union(*(ROLES[role] for role in roles))
    return Rights(found)


def of_token(token: TokenSettings, tenants: tuple[str, ...]) -> Rights:
    """Return what a token allows; ``tenants`` are those that the console shows."""
    allowed = frozenset[Permission]().union(*(_SCOPES[scope] for scope in token.scopes))
    return Rights({tenant: allowed for tenant in tenants if tenant in token.tenants})

"""Settings of what is kept of people: the key of hashes, and what a tenant wants of single fields."""

from __future__ import annotations

from functools import cache
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from gateway.field_policy import FieldAction, FieldHasher, FieldPolicies, FieldRules
from schemas.identity.keys import valid_tenant

__all__ = ["PUBLISHED_KEY", "PrivacySettings", "field_rules"]


@cache
def field_rules() -> dict[str, FieldRules]:
    """Return what each source keeps by default, by its name."""
    # Every command reads the settings, and the registries load every vendor's mapping and connection.
    from gateway.pulls.registry import PULLS  # noqa: PLC0415
    from gateway.sources.registry import SOURCES  # noqa: PLC0415

    return {source.name: source.fields for source in (*SOURCES, *PULLS)}


PUBLISHED_KEY = "bellbuoy-demo-hash-key"
"""The key of hashes unless one is set: whoever has a list of addresses can find them by it."""

TenantFields: TypeAlias = dict[str, dict[str, FieldAction]]


def _tenants(tenants: dict[str, TenantFields]) -> dict[str, TenantFields]:
    for tenant, sources in tenants.items():
        if not valid_tenant(tenant):
            raise ValueError(f"{tenant!r} is no tenant: use 1 to 63 of a-z, 0-9, _ and -")
        for source, fields in sources.items():
            rules = field_rules().get(source)
            if rules is None:
                raise ValueError(f"{source!r} is no source: there are {', '.join(sorted(field_rules()))}")
            for pointer, action in fields.items():
                _check(source, rules, pointer, action)
    return tenants


def _check(source: str, rules: FieldRules, pointer: str, action: FieldAction) -> None:
    if not pointer.startswith("/") or any(token.isdecimal() for token in pointer.split("/")):
        raise ValueError(
            f"{pointer!r} of {source} is no field: write a JSON pointer without the numbers of list items, "
            "such as /response/text"
        )
    if action != "keep" and pointer in rules.needed:
        raise ValueError(
            f"{pointer!r} of {source} can't be {'hashed' if action == 'hash' else 'dropped'}: "
            "nothing can be made of an event without it"
        )


class PrivacySettings(BaseModel):
    """The tenants' changes to what is kept of fields; the defaults are in docs/reference/fields.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    hash_key: Annotated[SecretStr, Field(min_length=16)] = Field(
        default=SecretStr(PUBLISHED_KEY),
        description="Key of the hashes in place of e-mail addresses. The default is published: set 16 "
        "random characters or more before real people's data arrive. With another key the same person is "
        "another one.",
    )
    tenants: Annotated[dict[str, TenantFields], AfterValidator(_tenants)] = Field(
        default={},
        description="What becomes of single fields of a source, by tenant and source: `keep`, `hash` or "
        "`drop`, by a JSON pointer without the numbers of list items.",
    )

    def hash_of(self, tenant: str, user_id: str) -> str | None:
        """Return the hash that may stand in place of a user id; ``None`` where a tenant's are not hashed."""
        fields = self.tenants.get(tenant, {}).values()
        if "@" not in user_id and not any("hash" in changed.values() for changed in fields):
            return None
        return FieldHasher(self.hash_key.get_secret_value(), tenant).hashed(user_id)

    def policies(self) -> FieldPolicies:
        """Return the field policies of all sources and tenants."""
        return FieldPolicies(field_rules(), self.hash_key.get_secret_value(), self.tenants)

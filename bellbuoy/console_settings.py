"""Settings of the console: where it listens, who may sign in, and what people and programs may do there."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

__all__ = [
    "ConsoleSettings",
    "GrantSettings",
    "OidcSettings",
    "Role",
    "Scope",
    "TokenSettings",
    "is_loopback",
]

Role = Literal["csm", "lead", "cs_ops", "producer", "sre"]
"""What somebody is at the console: customer success manager, lead of a team, operations of customer
success, owner of a product that sends events, and site reliability engineer."""

Scope = Literal["read", "act"]
"""What a program may do by the JSON API: read accounts and alerts, or act on alerts."""

_HTTP_ADDRESS = r"^https?://[^\s/?#]+$"


class GrantSettings(BaseModel):
    """Settings of a grant: what people may do whose claim has a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    roles: tuple[Role, ...] = Field(
        min_length=1,
        description="Their roles: `csm`, `lead`, `cs_ops`, `producer` and `sre`; docs/console.md says what "
        "each may do.",
    )
    tenants: tuple[str, ...] = Field(
        default=(), description="The tenants for which they have them. Without any: all that it shows."
    )


class OidcSettings(BaseModel):
    """Settings of signing in with an OpenID Connect provider."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    issuer: str = Field(
        pattern=r"^https?://[^\s?#]+$",
        description="The provider's issuer; its `/.well-known/openid-configuration` says the rest.",
    )
    client_id: str = Field(min_length=1, description="Name under which the provider knows the console.")
    client_secret: SecretStr | None = Field(
        default=None, description="The client's secret. Without it the client is a public one, with PKCE."
    )
    scopes: tuple[str, ...] = Field(
        default=("openid", "email", "profile"), description="Scopes to ask for; `openid` is one of them."
    )
    person_claim: str = Field(
        default="email",
        description="Claim that names a person in acts and in the audit log. An e-mail address that the "
        "provider "
        "calls unverified is refused.",
    )
    roles_claim: str = Field(
        default="groups",
        description="Claim whose values give people their roles, a text or a list; dots lead into a "
        "nested one, "
        "as in `realm_access.roles`.",
    )
    grants: dict[str, GrantSettings] = Field(
        default={},
        description="What people may do whose claim has a value, by that value. Who has none of them is "
        "not let in.",
    )

    @model_validator(mode="after")
    def _check(self) -> OidcSettings:
        if not self.grants:
            raise ValueError("nobody could see anything: name what a claim's value grants in `grants`")
        if "openid" not in self.scopes:
            raise ValueError("`scopes` must have `openid`")
        if not _is_safe(self.issuer):
            raise ValueError("`issuer` must begin with https://, unless it is on this machine")
        return self


class TokenSettings(BaseModel):
    """Settings of a token, with which a program asks the JSON API; `bellbuoy tokens new` makes one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the token, which itself is kept nowhere."
    )
    scopes: tuple[Scope, ...] = Field(
        default=("read",),
        min_length=1,
        description="What it allows: `read` accounts and alerts, `act` on alerts.",
    )
    tenants: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Tenants whose data it opens."
    )


class ConsoleSettings(BaseModel):
    """Settings of the console."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Another one than this machine's own (127.0.0.1, ::1, "
        "localhost) needs "
        "`console.url`.",
    )
    port: int = Field(default=8090, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    url: str | None = Field(
        default=None,
        pattern=_HTTP_ADDRESS,
        description="Address under which browsers reach it, without a slash at its end, if that is another "
        "one, as behind a tunnel or a proxy of your own.",
    )
    tenants: tuple[str, ...] = Field(
        default=(),
        description="Tenants whose accounts it shows, the first one at first. Without any: those of "
        "`gateway.tenants`.",
    )
    person: str | None = Field(
        default=None,
        max_length=200,
        description="Name that acts carry as their author where people sign in by a link. Without it: "
        "the user that "
        "runs the console.",
    )
    oidc: OidcSettings | None = Field(
        default=None,
        description="Provider with which people sign in. Without it one person does, by a link that "
        "this machine prints.",
    )
    tokens: dict[str, TokenSettings] = Field(
        default={}, description="Tokens of programs that ask the JSON API, by a name for the audit log."
    )

    @model_validator(mode="after")
    def _check(self) -> ConsoleSettings:
        if not is_loopback(self.host) and self.url is None:
            raise ValueError(
                f"the console would listen on {self.host}, which others can reach: set console.url to "
                "the address "
                "that browsers use, which begins with https:// or is this machine's own"
            )
        if self.url is not None and not _is_safe(self.url):
            raise ValueError(f"console.url: {self.url} is neither https nor this machine's own address")
        hosts = (self.host, urlsplit(self.url or "").hostname or "")
        if self.oidc is None and not any(map(is_loopback, hosts)):
            raise ValueError(
                "by a link one person signs in, on this machine: for others name a provider in "
                "console.oidc, or "
                "reach the console through a tunnel (ssh -L)"
            )
        return self


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_safe(url: str) -> bool:
    """Tell whether nobody on the way reads what is sent to an address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")

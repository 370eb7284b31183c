"""
Signing in with an OpenID Connect provider: the code flow with PKCE, by Authlib.

The provider's own words are checked by Authlib: state, nonce, signature, audience, times. What is checked
here is that the provider is the one of the settings, and that it signs so that nobody else could have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth, StarletteOAuth2App
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response

from bellbuoy.console_settings import OidcSettings

__all__ = ["NotSignedInError", "OidcClient", "ProviderIdentity", "person_of"]

log = structlog.get_logger(__name__)

_ALGORITHMS = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
)
"""Signatures that only the provider's private key can make."""

_SECONDS = 10.0


class NotSignedInError(Exception):
    """Nobody was signed in; the message says why, for the person who tried."""


class ProviderIdentity(NamedTuple):
    """A person as the provider names them: the name for acts, the subject, and what gives them rights."""

    name: str
    subject: str
    values: tuple[str, ...]


class OidcClient:
    """The console as a client of the provider; ``callback`` is the address to which it sends people back."""

    def __init__(self, settings: OidcSettings, callback: str) -> None:
        self._settings, self._callback = settings, callback
        secret = settings.client_secret
        self._client: StarletteOAuth2App = OAuth().register(
            "provider",
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_id=settings.client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            client_kwargs={
                "scope": " ".join(settings.scopes),
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "none" if secret is None else "client_secret_basic",
                "timeout": _SECONDS,
            },
        )

    async def redirect(self, request: Request) -> Response:
        """Return the way to the provider; raise NotSignedInError where it doesn't answer."""
        try:
            await self._load()
            answer: Response = await self._client.authorize_redirect(request, self._callback)
        except (httpx2.HTTPError, ValueError, RuntimeError) as error:
            raise _unreachable(error) from error
        return answer

    async def person(self, request: Request) -> ProviderIdentity:
        """Return whom the provider sent back; raise NotSignedInError."""
        try:
            await self._load()
            token = await self._client.authorize_access_token(request)
            claims = dict(token.get("userinfo") or {})
            if not claims.get("sub"):
                raise NotSignedInError("the provider named nobody")
            claims = await self._with_user_info(token, claims)
        except OAuthError as error:
            log.warning("The provider signed nobody in.", error=error.error, description=error.description)
            raise NotSignedInError("the provider refused it, or it took too long: try again") from error
        except JoseError as error:
            log.warning("The provider's answer is not valid.", error=str(error))
            raise NotSignedInError("the provider's answer is not valid") from error
        except (httpx2.HTTPError, ValueError, RuntimeError) as error:
            raise _unreachable(error) from error
        return person_of(claims, self._settings)

    async def sign_out_address(self, back: str) -> str | None:
        """Return the provider's address that ends its own session; ``None`` where it has none."""
        try:
            metadata = await self._load()
            if "end_session_endpoint" not in metadata:
                return None
            made = await self._client.create_logout_url(back, client_id=self._settings.client_id)
        except (httpx2.HTTPError, ValueError, RuntimeError, NotSignedInError):
            return None
        return str(made["url"])

    async def _load(self) -> dict[str, Any]:
        metadata: dict[str, Any] = await self._client.load_server_metadata()
        if metadata.get("issuer") != self._settings.issuer:
            raise ValueError(
                f"the provider calls itself {metadata.get('issuer')!r}: correct console.oidc.issuer"
            )
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [one for one in offered if one in _ALGORITHMS]
        return metadata

    async def _with_user_info(self, token: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        """Return the claims, with those of the user's information where one that is needed is missing."""
        needed = (self._settings.person_claim, self._settings.roles_claim)
        if all(_claim(claims, name) is not None for name in needed):
            return claims
        if "userinfo_endpoint" not in await self._load():
            return claims
        told = dict(await self._client.userinfo(token=token))
        if told.get("sub") != claims["sub"]:
            raise NotSignedInError("the provider's answers are about two people")
        return told | claims


def person_of(claims: Mapping[str, Any], settings: OidcSettings) -> ProviderIdentity:
    """Return the person that claims are about; raise NotSignedInError where they don't say who that is."""
    name = _claim(claims, settings.person_claim)
    if not isinstance(name, str) or not name.strip():
        raise NotSignedInError(f"the provider says no {settings.person_claim} of you")
    if settings.person_claim == "email" and claims.get("email_verified") is False:
        raise NotSignedInError(f"the provider has not verified the address {name}")
    told = _claim(claims, settings.roles_claim)
    values = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    granted = tuple(one for one in settings.grants if one in values)
    return ProviderIdentity(name[:200], str(claims["sub"]), granted)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, which may have dots itself, or by a path of names."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _unreachable(error: Exception) -> NotSignedInError:
    log.warning("The provider doesn't answer as it should.", error=str(error) or type(error).__name__)
    return NotSignedInError("the provider doesn't answer as it should: try again in a moment")

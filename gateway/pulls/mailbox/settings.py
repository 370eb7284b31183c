"""Settings of the connection to a mailbox."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from gateway.pulls.pull import PullSettings
from schemas.identity.aliases import alias_of_domain

__all__ = ["MailboxSettings"]


def _domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [domain for domain in domains if alias_of_domain(domain) is None]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: no domain of a company")
    return tuple(domain.strip().lower() for domain in domains)


class MailboxSettings(PullSettings):
    """Settings of the connection to a mailbox."""

    host: str = Field(description="Host of the IMAP server.")
    port: int = Field(default=993, ge=1, le=65535, description="Port of the IMAP server.")
    tls: bool = Field(default=True, description="Whether the connection is encrypted from its beginning.")
    user: str = Field(description="Name of the mailbox's user.")
    password: SecretStr = Field(description="Password; use one for this application alone.")
    folders: tuple[str, ...] = Field(
        default=("INBOX", "Sent"),
        min_length=1,
        description="Folders that are read, with their names on the server.",
    )
    own_domains: Annotated[tuple[str, ...], AfterValidator(_domains)] = Field(
        min_length=1, description="Domains of the team's addresses; all other companies are customers."
    )
    every_seconds: float = Field(default=120.0, gt=0, description="Pause between two rounds.")

"""The audit log: who signed in, did what, and was refused what; a line each, whatever the log's level."""

from __future__ import annotations

import logging

import structlog

__all__ = ["acted", "ended", "refused", "signed_in", "signed_out"]

log = structlog.get_logger(__name__)
logging.getLogger(__name__).setLevel(logging.INFO)


def signed_in(person: str, subject: str, tenants: tuple[str, ...]) -> None:
    """Record that a person signed in; ``subject`` is how the provider names them."""
    log.info("A person signed in.", person=person, subject=subject, tenants=tenants)


def signed_out(person: str) -> None:
    """Record that a person signed out."""
    log.info("A person signed out.", person=person)


def ended(person: str, whose: str, sessions: int) -> None:
    """Record that a person ended sessions, their own or somebody else's."""
    log.info("A person ended sessions.", person=person, whose=whose, sessions=sessions)


def acted(person: str, tenant: str, act: str, **of: object) -> None:
    """Record that a person or a program changed something; ``of`` says what."""
    log.info("A person acted.", person=person, tenant=tenant, act=act, **of)


def refused(person: str, why: str, path: str) -> None:
    """Record that a person or a program was refused."""
    log.info("A person was refused.", person=person, why=why, path=path)

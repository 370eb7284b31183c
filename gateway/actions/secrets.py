"""Secrets of the actions that the gateway takes, and the names of people there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ActionSecrets"]


@dataclass(frozen=True, slots=True)
class ActionSecrets:
    """
    The secrets that prove that an action comes from a message of ours.

    ``links`` sign the links of mails: the present one and those it replaces. ``slack`` are the signing
    secrets of the Slack apps. ``people`` maps the id of a Slack user to the person's name here.
    """

    links: tuple[str, ...] = ()
    slack: tuple[str, ...] = ()
    people: Mapping[str, str] = field(default_factory=dict)

"""
The policy of a tenant's owners: who is told what, when, and how much of it.

A policy file is YAML (docs/owners.md teaches it). ``load_policy`` returns its text as a frozen ``Policy``.
"""

from __future__ import annotations

from importlib import resources

from processors.owners.policy.format import policy_json_schema
from processors.owners.policy.loading import CheckedPolicy, PolicyError, check_policy, load_policy
from processors.owners.policy.policy import (
    MANAGER,
    Absence,
    EscalationStep,
    Maintenance,
    PersonPolicy,
    Policy,
    Storms,
)

__all__ = [
    "DEFAULT_POLICY",
    "MANAGER",
    "Absence",
    "CheckedPolicy",
    "EscalationStep",
    "Maintenance",
    "PersonPolicy",
    "Policy",
    "PolicyError",
    "Storms",
    "check_policy",
    "default_policy_text",
    "load_policy",
    "policy_json_schema",
]


def default_policy_text() -> str:
    """Return the text of the default policy's file."""
    return (resources.files("processors") / "owners" / "policy" / "default.yaml").read_text("utf-8")


DEFAULT_POLICY = load_policy(default_policy_text())
"""The policy of a tenant for which none was put in force."""

"""Writer of the owners' policies in force."""

from __future__ import annotations

from bellbuoy.operations.changes.in_force import requested_policies, tenant_in_words
from bellbuoy.operations.changes.model_changes import model_transaction, produce_model_changes
from bellbuoy.operations.changes.transaction import ChangeError, check_texts
from bellbuoy.settings import Settings
from processors.fold.models_in_force import POLICY
from processors.intake.admission import MAX_MODEL_TEXT
from processors.owners.policy import Policy

__all__ = ["put_policy_in_force", "withdraw_policy"]


def put_policy_in_force(settings: Settings, policy: Policy, *, tenant: str, author: str) -> str | None:
    """
    Put a policy of the owners in force for a tenant, or for all; return the name of the one it replaces.

    Raises ChangeError, KafkaAwayError, KafkaException, and OvertakenError when another change was made at the
    same moment.
    """
    if len(policy.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the policy has {len(policy.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    return _change_policy(settings, policy.name, policy.text, tenant, author)


def withdraw_policy(settings: Settings, *, tenant: str, author: str) -> str:
    """Withdraw the policy of a tenant, or of all, and return its name; raise as ``put_policy_in_force``."""
    name = _change_policy(settings, "", None, tenant, author)
    assert name is not None
    return name


def _change_policy(settings: Settings, name: str, text: str | None, tenant: str, author: str) -> str | None:
    check_texts(author=author)
    with model_transaction(settings) as producer:
        entry = requested_policies(settings).get(tenant)
        before = None if entry is None or entry.text is None else entry.name
        if text is None and before is None:
            raise ChangeError(
                f"no policy is in force for {tenant_in_words(tenant)}; `bellbuoy owners live` lists them"
            )
        present = [] if entry is None else [entry]
        produce_model_changes(
            producer, settings, [(name or before or "", text)], tenant, POLICY, author, present
        )
    return before

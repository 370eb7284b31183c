"""Writer of the alert rules in force."""

from __future__ import annotations

from bellbuoy.operations.changes.in_force import requested_models, tenant_in_words
from bellbuoy.operations.changes.model_changes import model_transaction, produce_model_changes
from bellbuoy.operations.changes.transaction import ChangeError, check_texts
from bellbuoy.settings import Settings
from processors.fold.models_in_force import LIVE, RULES, SHADOW
from processors.intake.admission import MAX_MODEL_TEXT
from processors.rules import DEFAULT_RULES, RuleSet

__all__ = ["put_rules_in_force", "withdraw_rules"]


def put_rules_in_force(settings: Settings, rules: RuleSet, *, tenant: str, author: str) -> list[str]:
    """
    Put a set of alert rules in force for a tenant, or for all; raise as ``put_model_in_force`` does.

    Returns the names of the sets that it takes the place of, the default set apart.
    """
    if len(rules.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the rules have {len(rules.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    check_texts(author=author)
    with model_transaction(settings) as producer:
        requested = requested_models(settings, (LIVE, SHADOW, RULES))
        present = [entry for entry in requested if (entry.tenant, entry.role) == (tenant, RULES)]
        changes: list[tuple[str, str | None]] = [
            (entry.name, None) for entry in present if entry.name != rules.name
        ]
        changes.append((rules.name, rules.text))
        produce_model_changes(producer, settings, changes, tenant, RULES, author, requested)
    return [entry.name for entry in present]


def withdraw_rules(settings: Settings, name: str, *, tenant: str, author: str) -> None:
    """
    Withdraw a set of alert rules; raise as ``put_model_in_force`` does.

    Its accounts are judged by the set for every tenant that is left, or by the default set.
    """
    check_texts(author=author)
    with model_transaction(settings) as producer:
        requested = requested_models(settings, (LIVE, SHADOW, RULES))
        present = [entry for entry in requested if entry.role == RULES]
        if not any((entry.tenant, entry.name) == (tenant, name) for entry in present):
            known = ", ".join(f"{entry.name} for {tenant_in_words(entry.tenant)}" for entry in present)
            raise ChangeError(
                f"no rules {name!r} are in force for {tenant_in_words(tenant)}; "
                f"there is {known or f'only {DEFAULT_RULES.name}'}"
            )
        produce_model_changes(producer, settings, [(name, None)], tenant, RULES, author, requested)

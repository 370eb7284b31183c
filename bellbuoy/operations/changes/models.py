"""Writer of the models in force."""

from __future__ import annotations

from bellbuoy.operations.changes.in_force import requested_models, tenant_in_words
from bellbuoy.operations.changes.model_changes import model_transaction, produce_model_changes
from bellbuoy.operations.changes.transaction import ChangeError, check_texts
from bellbuoy.settings import Settings
from processors.fold.models_in_force import LIVE, SHADOW
from processors.intake.admission import MAX_MODEL_TEXT
from processors.model import DEFAULT, Model, clashes, load_model

__all__ = ["put_model_in_force", "withdraw_model"]


def put_model_in_force(
    settings: Settings, model: Model, *, tenant: str, shadow: bool, author: str
) -> list[str]:
    """
    Put a model in force for a tenant, or for all, in every partition or in none.

    With ``shadow`` it is a shadow model, which scores for comparison only. Returns the names of the models
    that it replaces: the one of the same name, and for a model without a condition (it is for all accounts
    that no other model is for) the earlier model without one. Raises ChangeError, KafkaAwayError,
    KafkaException, and OvertakenError when another change was made at the same moment.
    """
    if len(model.text) > MAX_MODEL_TEXT:
        raise ChangeError(f"the model has {len(model.text):,} characters, at most {MAX_MODEL_TEXT:,}")
    check_texts(author=author)
    role = SHADOW if shadow else LIVE
    with model_transaction(settings) as producer:
        requested = requested_models(settings)
        present = [entry for entry in requested if (entry.tenant, entry.role) == (tenant, role)]
        others = [
            load_model(entry.text or "", accepted=True) for entry in present if entry.name != model.name
        ]
        replaced = [other.name for other in others if other.applies is None and model.applies is None]
        if shadow:
            replaced = []
        elif conflicts := clashes([*(other for other in others if other.name not in replaced), model]):
            raise ChangeError("; ".join(conflicts))
        changes: list[tuple[str, str | None]] = [(name, None) for name in replaced]
        changes.append((model.name, model.text))
        produce_model_changes(producer, settings, changes, tenant, role, author, present)
    return replaced + [entry.name for entry in present if entry.name == model.name]


def withdraw_model(settings: Settings, name: str, *, tenant: str, author: str) -> str:
    """
    Withdraw a model and return the role it had; raise as ``put_model_in_force`` does.

    Its accounts are scored by the models that are left, in the end by the default model.
    """
    check_texts(author=author)
    with model_transaction(settings) as producer:
        present = requested_models(settings)
        role = next((entry.role for entry in present if (entry.tenant, entry.name) == (tenant, name)), None)
        if role is None:
            known = ", ".join(f"{entry.name} for {tenant_in_words(entry.tenant)}" for entry in present)
            raise ChangeError(
                f"no model {name!r} is in force for {tenant_in_words(tenant)}; "
                f"there is {known or f'only {DEFAULT.name}'}"
            )
        produce_model_changes(producer, settings, [(name, None)], tenant, role, author, present)
    return role

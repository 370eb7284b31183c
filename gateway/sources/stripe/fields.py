"""The fields of Stripe's events that are kept: terms and money, and whose they are; nothing of a person."""

from __future__ import annotations

from gateway.field_policy import FieldRules

__all__ = ["FIELDS"]

_OBJECT, _BEFORE = "/data/object", "/data/previous_attributes"
_REFERENCES = (
    "customer",
    "subscription",
    "subscription_details/subscription",
    "parent/subscription_details/subscription",
    "charge",
    "charge/customer",
    "payment_intent",
    "payment_intent/customer",
)
"""Objects that an event names by their id, or carries whole; of those the id and the account are kept."""

_TERMS = (
    "status",
    "pause_collection",
    "currency",
    "items",
    "discount",
    "discounts",
    "current_period_end",
    "cancel_at_period_end",
    "cancel_at",
    "ended_at",
    "quantity",
)

FIELDS = FieldRules(
    needed=(
        "/id",
        "/object",
        "/type",
        "/created",
        "/livemode",
        f"{_OBJECT}/id",
        f"{_OBJECT}/metadata/account_id",
        f"{_OBJECT}/subscription_details/metadata/account_id",
        f"{_OBJECT}/parent/subscription_details/metadata/account_id",
        *(
            f"{_OBJECT}/{name}"
            for name in ("canceled_at", "attempt_count", "amount", "amount_due", "amount_paid", "due_date")
        ),
        *(f"{_OBJECT}/{name}" for name in _TERMS),
        *(f"{_BEFORE}/{name}" for name in _TERMS),
        *(
            f"{_OBJECT}/{reference}{below}"
            for reference in _REFERENCES
            for below in ("", "/id", "/metadata/account_id")
        ),
    ),
    dropped=(
        *(f"{_OBJECT}/{reference}/*" for reference in _REFERENCES),
        f"{_OBJECT}/items/data/metadata",
        f"{_OBJECT}/customer_email",
        f"{_OBJECT}/customer_name",
        f"{_OBJECT}/customer_address",
        f"{_OBJECT}/customer_phone",
        f"{_OBJECT}/metadata/*",
    ),
)

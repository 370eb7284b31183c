"""Table of the account facts that conditions may read, as ``account.<name>``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from processors.model.plan.condition_types import FactType
from processors.view import View
from processors.view.queries import next_renewal
from schemas.times import DAY

__all__ = ["ACCOUNT", "ACCOUNT_FACTS", "Fact", "Value"]

Value: TypeAlias = str | int | float | bool | None


class Fact(NamedTuple):
    """A fact of an account: what it is, its type, and the function that returns it (``None``: not known)."""

    about: str
    type: FactType
    read: Callable[[View], Value]


_TEXT, _WHOLE = FactType("text"), FactType("int")
_STATUS = FactType("text", ("active", "canceling", "canceled"))
_STANDING = FactType("text", ("good", "trialing", "past_due", "unpaid", "paused", "incomplete", "expired"))


def _plan(view: View) -> Value:
    return None if view.subscription is None else view.subscription.plan


def _status(view: View) -> Value:
    return None if view.subscription is None else view.subscription.status


def _standing(view: View) -> Value:
    return None if view.subscription is None else view.subscription.standing or "good"


def _renewal(view: View) -> Value:
    known = next_renewal(view.state, view.subscription, view.now)
    return None if known is None else max(0, (known - view.now) // DAY)


def _tenure(view: View) -> Value:
    first = view.usage.first_at
    return None if first is None else view.age(first)


ACCOUNT: Mapping[str, Fact] = {
    "tenant": Fact("the tenant", _TEXT, lambda view: view.state.tenant),
    "id": Fact("the account's id", _TEXT, lambda view: view.state.account_id),
    "segment": Fact("the profile's segment", _TEXT, lambda view: view.state.fact("segment")),
    "stage": Fact("the profile's lifecycle stage", _TEXT, lambda view: view.state.fact("stage")),
    "owner": Fact("the CSM", _TEXT, lambda view: view.state.fact("owner")),
    "currency": Fact(
        "the profile's currency", FactType("text", capitals=True), lambda view: view.state.fact("currency")
    ),
    "arr_minor": Fact(
        "annual recurring revenue in minor units", _WHOLE, lambda view: view.state.amount("arr_minor")
    ),
    "seats": Fact("the seats bought", _WHOLE, lambda view: view.seats),
    "plan": Fact("the subscription's plan", _TEXT, _plan),
    "status": Fact("the subscription's status: active, canceling or canceled", _STATUS, _status),
    "standing": Fact(
        "where its payment stands: good, trialing, past_due, unpaid, paused, incomplete or expired",
        _STANDING,
        _standing,
    ),
    "tenure_days": Fact("days since the day of the first usage", _WHOLE, _tenure),
    "renewal_days": Fact("whole days to the renewal", _WHOLE, _renewal),
}
"""Every fact by name."""

ACCOUNT_FACTS: Mapping[str, Fact] = {f"account.{name}": fact for name, fact in ACCOUNT.items()}
"""The facts by the name that conditions use."""

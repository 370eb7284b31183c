"""Table of the account facts that conditions may read, as ``account.<name>``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from processors.measures import View
from schemas.times import DAY

__all__ = ["ACCOUNT", "Value"]

Value: TypeAlias = str | int | None


def _plan(view: View) -> Value:
    return None if view.subscription is None else view.subscription.plan


def _status(view: View) -> Value:
    return None if view.subscription is None else view.subscription.status


def _renewal(view: View) -> Value:
    current = view.subscription
    known = None if current is None else current.renews_at
    return None if known is None else max(0, (known - view.now) // DAY)


def _tenure(view: View) -> Value:
    first = view.state.usage.first_at
    return None if first is None else view.age(first)


ACCOUNT: dict[str, tuple[str, Callable[[View], Value]]] = {
    "tenant": ("the tenant", lambda view: view.state.tenant),
    "id": ("the account's id", lambda view: view.state.account_id),
    "segment": ("the profile's segment", lambda view: view.state.fact("segment")),
    "stage": ("the profile's lifecycle stage", lambda view: view.state.fact("stage")),
    "owner": ("the CSM", lambda view: view.state.fact("owner")),
    "currency": ("the profile's currency", lambda view: view.state.fact("currency")),
    "arr_minor": ("annual recurring revenue in minor units", lambda view: view.state.amount("arr_minor")),
    "seats": ("the seats bought", lambda view: view.seats),
    "plan": ("the subscription's plan", _plan),
    "status": ("the subscription's status: active, canceling or canceled", _status),
    "tenure_days": ("days since the day of the first usage", _tenure),
    "renewal_days": ("whole days to the renewal", _renewal),
}
"""Every fact by name: what it is, and the function that returns it (``None``: not known)."""

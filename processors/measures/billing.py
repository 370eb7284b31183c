"""Measures of billing: the subscription, its renewal, and money that doesn't come in."""

from __future__ import annotations

from processors.measures.definition import BILLING, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, money
from processors.measures.queries import failing_invoices, overdue_days
from processors.measures.view import View
from processors.state.account import RING_DAYS
from schemas.records import BillingEvent
from schemas.times import DAY

__all__ = ["commitment", "disputes", "overdue", "owed", "payment", "renewal", "signals"]

_SOURCES = (BILLING,)
_NO_INVOICE = "nothing: 0 without an invoice"
_SUBSCRIBED = ago(
    300, BillingEvent, kind="subscription_started", subscription_id="s-1", mrr_minor=90_000, currency="EUR",
    renews_at=65,
)  # fmt: skip
_DOWNGRADED = ago(
    30, BillingEvent, kind="subscription_updated", subscription_id="s-1", mrr_minor=60_000,
    previous_mrr_minor=90_000, currency="EUR",
)  # fmt: skip
_UNPAID = ago(
    40, BillingEvent, kind="invoice_issued", invoice_id="i-1", amount_minor=90_000, currency="EUR", due_at=-12
)
_FAILED = ago((9, 2), BillingEvent, kind="payment_failed", invoice_id="i-1", currency="EUR")


@measure(
    "billing.payment",
    kpi="Failed payments (involuntary)",
    unit="failed attempts",
    window="now",
    sources=_SOURCES,
    needs=_NO_INVOICE,
    example=(_UNPAID, _FAILED),
)
def payment(view: View) -> MeasureValue:
    """Return the number of failed attempts to pay the worst unpaid invoice."""
    failing = failing_invoices(view.state)
    if not failing:
        return MeasureValue(0, "No failed payments")
    attempts = max(invoice.failures for invoice in failing)
    return MeasureValue(attempts, f"Payment failed {count(attempts, 'time')}")


@measure(
    "billing.overdue",
    kpi="Overdue (involuntary)",
    unit="days",
    window="now",
    sources=_SOURCES,
    needs=_NO_INVOICE,
    example=(_UNPAID,),
)
def overdue(view: View) -> MeasureValue:
    """Return the whole days that the oldest unsettled invoice is past due."""
    days = overdue_days(view.state, view.now)
    return MeasureValue(days, f"Invoice {count(days, 'day')} overdue" if days else "No invoice overdue")


@measure(
    "billing.owed",
    kpi="Overdue (involuntary)",
    unit="months of revenue",
    window="now",
    sources=_SOURCES,
    needs="nothing: 0 without an invoice; recurring revenue, where anything is owed",
    example=(_SUBSCRIBED, _UNPAID),
)
def owed(view: View) -> MeasureValue:
    """Return the unsettled amounts past due, in months of recurring revenue."""
    unsettled = [invoice for invoice in view.state.billing.invoices.values() if not invoice.settled]
    late = [i for i in unsettled if i.due_at is not None and i.due_at // DAY < view.today]
    if not late:
        return MeasureValue(0, "Nothing owed")
    amount, revenue = sum(invoice.amount_minor or 0 for invoice in late), view.revenue
    if revenue is None or not revenue[0] or any(invoice.currency != revenue[1] for invoice in late):
        return MeasureValue(None, "What is owed can't be compared with the recurring revenue")
    return MeasureValue(amount / revenue[0], f"{money(amount, revenue[1])} past due")


@measure(
    "billing.disputes",
    kpi="Failed payments (involuntary)",
    unit="invoices",
    window="now",
    sources=_SOURCES,
    needs=_NO_INVOICE,
    example=(_UNPAID, ago(5, BillingEvent, kind="dispute_opened", invoice_id="i-1", currency="EUR")),
)
def disputes(view: View) -> MeasureValue:
    """Return the number of payments in dispute."""
    disputed = sum(1 for invoice in view.state.billing.invoices.values() if invoice.disputed)
    return MeasureValue(
        disputed, f"{count(disputed, 'payment')} in dispute" if disputed else "No payment in dispute"
    )


@measure(
    "billing.commitment",
    kpi="Churn, cancel and downgrade signals",
    unit="share",
    window="now; a downgrade counts for 60 days",
    sources=_SOURCES,
    needs="a subscription",
    example=(_SUBSCRIBED, _DOWNGRADED),
)
def commitment(view: View) -> MeasureValue:
    """
    Return how firm the subscription is: 1 while it runs, 0.5 for 60 days after a downgrade.

    0.1 while a cancellation is scheduled, 0 once it is in effect.
    """
    current = view.subscription
    if current is None:
        return MeasureValue(None, "No subscription known")
    if current.status == "canceled":
        return MeasureValue(0.0, "Subscription canceled")
    if current.status == "canceling":
        return MeasureValue(0.1, "Cancellation scheduled")
    if current.downgraded_at[0] > view.now - 60 * DAY:
        return MeasureValue(0.5, f"Downgraded to {current.downgrade_ratio:.0%} of its price within 60 days")
    return MeasureValue(1.0, "Subscription running")


@measure(
    "billing.signals",
    kpi="Churn, cancel and downgrade signals",
    unit="signals",
    window="90 days",
    sources=_SOURCES,
    needs="a subscription",
    example=(
        _SUBSCRIBED,
        _DOWNGRADED,
        ago(3, BillingEvent, kind="cancel_scheduled", subscription_id="s-1", cancel_at=27),
    ),
)
def signals(view: View) -> MeasureValue:
    """Return the number of cancellations scheduled (also those withdrawn), downgrades and ends."""
    subscriptions = view.state.billing.subscriptions.values()
    if not subscriptions:
        return MeasureValue(None, "No subscription known")
    numbers = {
        "cancellation scheduled": sum(_within(view, each.canceling_at, RING_DAYS) for each in subscriptions),
        "downgrade": sum(_within(view, each.downgraded_at[0], RING_DAYS) for each in subscriptions),
        "subscription ended": sum(
            each.status == "canceled" and _within(view, each.status_at[0], RING_DAYS)
            for each in subscriptions
        ),
    }
    signs = [f"{number} x {sign}" if number > 1 else sign for sign, number in numbers.items() if number]
    return MeasureValue(
        sum(numbers.values()), f"In {RING_DAYS} days: {', '.join(signs)}" if signs else "No sign of leaving"
    )


@measure(
    "billing.renewal",
    kpi="Renewal proximity",
    unit="days",
    window="to the next renewal",
    sources=_SOURCES,
    needs="a subscription with a renewal date",
    example=(_SUBSCRIBED,),
)
def renewal(view: View) -> MeasureValue:
    """Return the whole days to the next renewal."""
    current = view.subscription
    if current is None or current.renews_at is None:
        return MeasureValue(None, "No renewal date known")
    days = max(0, (current.renews_at - view.now) // DAY)
    return MeasureValue(days, f"Renews in {count(days, 'day')}")


def _within(view: View, at: int, days: int) -> bool:
    return at >= 0 and view.age(at) < days

"""Measures of billing: the subscription, its renewal, and money that doesn't come in."""

from __future__ import annotations

from processors.measures.definition import BILLING, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, money
from processors.state.account import RING_DAYS, Subscription
from processors.view import View
from processors.view.queries import (
    MONTHLY,
    ended_at,
    failing_invoices,
    next_renewal,
    overdue_days,
    runs,
)
from schemas.records import BillingEvent
from schemas.times import DAY

__all__ = ["commitment", "disputes", "overdue", "owed", "payment", "renewal", "renewal_near", "signals"]

_SOURCES = (BILLING,)
_NEAR_DAYS = 90
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
_IN_DOUBT = {
    "past_due": (0.5, "Subscription past due"),
    "paused": (0.5, "Subscription paused"),
    "unpaid": (0.1, "Subscription unpaid: no payment is tried any more"),
}
"""How firm a subscription is that is neither canceled nor in good standing, and its reason."""

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
    attempts = max(invoice.failed_payments for invoice in failing)
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
    late = [
        i
        for i in view.state.billing.unsettled.values()
        if i.due_at is not None and i.due_at // DAY < view.today
    ]
    if not late:
        return MeasureValue(0, "Nothing owed")
    amount, revenue = sum(invoice.amount_minor or 0 for invoice in late), view.revenue
    if revenue is None or not revenue[0] or any(invoice.currency != revenue[1] for invoice in late):
        return MeasureValue(None, "What is owed can't be compared with the recurring revenue")
    return MeasureValue(amount / revenue[0], f"{money(amount, revenue[1])} past due")


@measure(
    "billing.disputes",
    kpi="Failed payments (involuntary)",
    unit="payments",
    window="now",
    sources=_SOURCES,
    needs=_NO_INVOICE,
    example=(_UNPAID, ago(5, BillingEvent, kind="dispute_opened", invoice_id="i-1", currency="EUR")),
)
def disputes(view: View) -> MeasureValue:
    """Return the number of payments in dispute."""
    billing = view.state.billing
    disputed = sum(invoice.disputed for invoice in billing.invoices.values())
    disputed += sum(dispute.open for dispute in billing.disputes.values())
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

    0.5 while it is paused or past due, 0.1 while it is unpaid or a cancellation is scheduled, 0 once it has
    ended. Not known before the first payment.
    """
    current = view.subscription
    if current is None:
        return MeasureValue(None, "No subscription known")
    if current.status == "canceled":
        return MeasureValue(0.0, _ended(current))
    if current.standing == "incomplete":
        return MeasureValue(None, "Subscription not begun: its first payment is not made")
    if current.status == "canceling":
        return MeasureValue(0.1, "Cancellation scheduled")
    if current.standing in _IN_DOUBT:
        return MeasureValue(*_IN_DOUBT[current.standing])
    if current.downgraded_at[0] > view.now - 60 * DAY:
        return MeasureValue(0.5, f"Downgraded to {current.downgrade_ratio:.0%} of its price within 60 days")
    return MeasureValue(
        1.0, "Subscription on trial" if current.standing == "trialing" else "Subscription running"
    )


def _ended(subscription: Subscription) -> str:
    if subscription.standing == "expired":
        return "Subscription ended: its first payment was never made"
    return "Subscription canceled"


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
    """
    Return the number of cancellations scheduled (also those withdrawn), downgrades and ends.

    A subscription that is past due, unpaid or paused is a sign while it is.
    """
    subscriptions = view.state.billing.subscriptions.values()
    if not subscriptions:
        return MeasureValue(None, "No subscription known")
    paid = [each for each in subscriptions if each.standing not in ("incomplete", "expired")]
    running = [each for each in paid if runs(each)]
    numbers = {
        "cancellation scheduled": sum(
            each.status == "canceling" or _within(view, each.canceling_at, RING_DAYS) for each in paid
        ),
        "downgrade": sum(_within(view, each.downgraded_at[0], RING_DAYS) for each in paid),
        "subscription past due": sum(each.standing == "past_due" for each in running),
        "subscription unpaid": sum(each.standing == "unpaid" for each in running),
        "subscription paused": sum(each.standing == "paused" for each in running),
        "subscription ended": sum(_within(view, _end(each), RING_DAYS) for each in paid),
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
    """
    Return the whole days to the next renewal.

    Once the stated date has passed without a newer one, a monthly term has renewed by itself, and a yearly
    one if an invoice was paid since; otherwise it is not known.
    """
    current = view.subscription
    if current is None:
        return MeasureValue(None, "No renewal date known")
    if current.renews_at is None:
        ended = current.status == "canceled"
        return MeasureValue(
            None, "No renewal: the subscription has ended" if ended else "No renewal date known"
        )
    at = next_renewal(view.state, current, view.now)
    if at is None:
        passed = count(view.age(current.renews_at), "day")
        return MeasureValue(None, f"The renewal date passed {passed} ago, and no newer one is known")
    days = max(0, (at - view.now) // DAY)
    return MeasureValue(days, f"Renews in {count(days, 'day')}")


@measure(
    "billing.renewal_near",
    kpi="Renewal proximity",
    unit="share",
    window="the 90 days before the renewal",
    sources=_SOURCES,
    needs="nothing: 0 without a renewal date",
    example=(
        _SUBSCRIBED,
        ago(1, BillingEvent, kind="subscription_updated", subscription_id="s-1", renews_at=15),
    ),
)
def renewal_near(view: View) -> MeasureValue:
    """
    Return how near the renewal is: 1 on its day, falling to 0 at 90 days before it.

    It is 0 for a term of up to 45 days, as the renewal date and the time at which it was first stated tell:
    who renews every month has no day on which to leave. It is 0 after that day, too, until a next renewal is
    near that is known.
    """
    days, term = renewal(view), None if view.subscription is None else view.subscription.term
    if term is not None and 0 < term < MONTHLY:
        return MeasureValue(0, "Renews every month")
    if days.value is None or days.value >= _NEAR_DAYS:
        return MeasureValue(0, days.reason)
    return MeasureValue(1 - days.value / _NEAR_DAYS, days.reason)


def _end(subscription: Subscription) -> int:
    at = ended_at(subscription)
    return -1 if at is None else at


def _within(view: View, at: int, days: int) -> bool:
    return at >= 0 and view.age(at) < days

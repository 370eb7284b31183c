"""Checks of one run by itself: what must hold of its alerts and totals whatever another run says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from chaos.final_state import FinalState
from chaos.told_state import AlertChange

__all__ = ["alert_violations", "violations"]


def violations(final: FinalState, totals: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """Yield what is wrong with a run, given the number of events that were sent for each account."""
    for account in sorted(totals.keys() | final.applied.keys()):
        sent, applied = totals.get(account, 0), final.applied.get(account, 0)
        if sent != applied:
            yield f"account {account}: {sent} events sent, {applied} applied"
    yield from final.unreconciled
    yield from alert_violations(final.alerts, final.open_alerts)


def alert_violations(alerts: Counter[AlertChange], open_alerts: frozenset[str]) -> Iterator[str]:
    """
    Yield what is wrong with the published changes of alerts and the ids of those that the sink calls open.

    Each change is published once. An episode is opened once, before every other change; it is resolved at
    most once, after every other change. The sink's open alerts are those that are opened and not resolved.
    """
    episodes: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for (alert_id, change, severity, changed_at), times in alerts.items():
        if times > 1:
            yield f"alert {alert_id}: {change} ({severity}) at {changed_at} published {times} times"
        episodes[alert_id].append((changed_at, change))
    unresolved = set()
    for alert_id, changes in episodes.items():
        kinds = Counter(change for _, change in changes)
        first, last = min(at for at, _ in changes), max(at for at, _ in changes)
        if kinds["opened"] != 1 or kinds["resolved"] > 1:
            yield f"alert {alert_id}: opened {kinds['opened']} times, resolved {kinds['resolved']} times"
        if (first, "opened") not in changes:
            yield f"alert {alert_id}: its first change is not its opening"
        if not kinds["resolved"]:
            unresolved.add(alert_id)
        elif (last, "resolved") not in changes:
            yield f"alert {alert_id}: changed after it was resolved"
    for alert_id in sorted(unresolved ^ open_alerts):
        yield f"alert {alert_id}: open {'on the topic' if alert_id in unresolved else 'in the sink'} only"

"""Plain load: exactly so many usage events, as fast as they can be made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bellbuoy.simulator.world.accounts import make_accounts
from bellbuoy.simulator.world.delivery import BAD_KINDS, Delivery
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.draws import origin, stream
from bellbuoy.simulator.world.usage import FEATURES
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR

__all__ = ["load"]

_RECENT = 1_000
"""A duplicate repeats one of so many events before it: inside every dedupe window."""


def load(seed: int, accounts: int, events: int, at: int, disorder: Disorder) -> Iterator[Delivery]:
    """
    Yield exactly ``events`` deliveries of usage, duplicates and bad ones included.

    The events lie in the hour before ``at`` (UTC milliseconds). Accounts are busy unevenly, as accounts
    are: the first of 1,000 gets some 50 times the events of the last. Nothing is late: it all is now.
    """
    draw = stream(seed, "load")
    random = draw.random
    people = [(account.account_id, account.users) for account in make_accounts(seed, accounts)]
    prefix = f"{origin(seed, at)}-l"
    recent: deque[UsageEvent] = deque(maxlen=_RECENT)
    edges = _edges(disorder)
    for n in range(events):
        account_id, users = people[int(accounts * random() ** 1.8)]
        feature = FEATURES[int(12 * random() ** 1.5)]
        level = random()
        occurred_at = at - int(HOUR * random())
        plant, bad = None, None
        if level < edges[-1]:
            if level < edges[0] and recent:
                yield Delivery(at, recent[int(random() * len(recent))], "duplicate")
                continue
            if edges[0] <= level < edges[1]:
                plant, bad = "bad", draw.choice(BAD_KINDS)
            elif edges[1] <= level < edges[2]:
                plant, occurred_at = "too_late", occurred_at - draw.randint(100, 400) * DAY
            elif edges[2] <= level:
                plant, occurred_at = "from_future", occurred_at + draw.randint(30, 400) * DAY
        event = UsageEvent(
            event_id=f"{prefix}{n:x}",
            tenant="",
            account_id=account_id,
            source="segment",
            occurred_at=occurred_at,
            received_at=0,
            user_id=users[int(random() * len(users))],
            name="Feature Used",
            feature=feature,
            duration_ms=int(60_000 * random()),
            error=level > 0.99,
        )
        if plant is None:
            recent.append(event)
            yield Delivery(at, event)
        else:
            yield Delivery(at, event, plant, bad)  # type: ignore[arg-type]


def _edges(disorder: Disorder) -> tuple[float, float, float, float]:
    edge, edges = 0.0, []
    for share in (disorder.duplicate, disorder.bad, disorder.too_late, disorder.from_future):
        edge += share
        edges.append(edge)
    return edges[0], edges[1], edges[2], edges[3]

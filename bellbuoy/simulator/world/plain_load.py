"""Plain load: an exact number of usage events, generated as fast as possible."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bellbuoy.simulator.world.accounts import make_accounts
from bellbuoy.simulator.world.delivery import BAD_KINDS, Delivery
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.random_streams import id_prefix, random_stream
from bellbuoy.simulator.world.usage import FEATURES
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR

__all__ = ["plain_load"]

_RECENT_EVENTS = 1_000
"""A duplicate repeats one of so many events before it, which is within every dedupe window."""


def plain_load(seed: int, accounts: int, events: int, at: int, disorder: Disorder) -> Iterator[Delivery]:
    """
    Yield exactly ``events`` deliveries of usage, duplicates and bad ones included.

    The events lie in the hour before ``at`` (UTC milliseconds). Accounts differ in how busy they are, as real
    ones do: the first of 1,000 gets some 50 times the events of the last. No event is late.
    """
    draw = random_stream(seed, "load")
    random = draw.random
    people = [(account.account_id, account.users) for account in make_accounts(seed, accounts)]
    prefix = f"{id_prefix(seed, at)}-l"
    recent: deque[UsageEvent] = deque(maxlen=_RECENT_EVENTS)
    bounds = _bounds(disorder)
    for n in range(events):
        account_id, users = people[int(accounts * random() ** 1.8)]
        feature = FEATURES[int(12 * random() ** 1.5)]
        level = random()
        occurred_at = at - int(HOUR * random())
        kind, bad = None, None
        if level < bounds[-1]:
            if level < bounds[0] and recent:
                yield Delivery(at, recent[int(random() * len(recent))], "duplicate")
                continue
            if bounds[0] <= level < bounds[1]:
                kind, bad = "bad", draw.choice(BAD_KINDS)
            elif bounds[1] <= level < bounds[2]:
                kind, occurred_at = "too_late", occurred_at - draw.randint(100, 400) * DAY
            elif bounds[2] <= level:
                kind, occurred_at = "from_future", occurred_at + draw.randint(30, 400) * DAY
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
        if kind is None:
            recent.append(event)
            yield Delivery(at, event)
        else:
            yield Delivery(at, event, kind, bad)  # type: ignore[arg-type]


def _bounds(disorder: Disorder) -> tuple[float, float, float, float]:
    bound, bounds = 0.0, []
    for share in (disorder.duplicate, disorder.bad, disorder.too_late, disorder.from_future):
        bound += share
        bounds.append(bound)
    return bounds[0], bounds[1], bounds[2], bounds[3]

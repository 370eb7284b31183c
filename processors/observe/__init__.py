"""
The observers: one function for each input topic that folds an event into the state of an account.

Every function here changes the state it is given and commutes with every other call: a set of
events gives one state in whatever order and batches it comes. Each event is given once; the journal
drops duplicates before.
"""

from __future__ import annotations

from collections.abc import Callable

from processors.observe.billing import observe_billing
from processors.observe.bounds import bound, evict
from processors.observe.engagement import observe_engagement
from processors.observe.links import observe_link
from processors.observe.override import observe_override
from processors.observe.profile import observe_profile
from processors.observe.support import observe_support
from processors.observe.surveys import observe_survey
from processors.observe.usage import observe_usage

__all__ = [
    "OBSERVERS",
    "bound",
    "evict",
    "observe_billing",
    "observe_engagement",
    "observe_link",
    "observe_override",
    "observe_profile",
    "observe_support",
    "observe_survey",
    "observe_usage",
]

OBSERVERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("support", observe_support),
    ("billing", observe_billing),
    ("surveys", observe_survey),
    ("engagement", observe_engagement),
    ("profiles", observe_profile),
    ("links", observe_link),
    ("overrides", observe_override),
)
"""
The functions that fold single events into a state, each with the list of ``JournalBatch`` that it observes.

Usage is observed as rolled-up cells; alert actions and transfers are folded by ``processors.fold``, because
they do more than change the state.
"""

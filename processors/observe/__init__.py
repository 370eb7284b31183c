"""
Fold events into what is known of an account.

Every function here changes the state it is given and commutes with every other call: a set of
events gives one state in whatever order and batches it comes. Each event is given once; the journal
drops duplicates before.
"""

from __future__ import annotations

from processors.observe.billing import observe_billing
from processors.observe.bounds import bound, evict
from processors.observe.engagement import observe_engagement
from processors.observe.links import observe_link
from processors.observe.override import observe_override
from processors.observe.profile import observe_profile
from processors.observe.support import observe_support
from processors.observe.surveys import observe_survey
from processors.observe.usage import active_days, observe_usage

__all__ = [
    "active_days",
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

"""
Typed records, one for each schema in ``schemas/avro``; their fields have the schema's names and units.

Records that are created in great numbers have ``gc=False``: Python's garbage collector does not track them,
because they hold no reference cycles.
"""

from schemas.records.dead_letters import DeadLetter
from schemas.records.events import (
    OWN_SOURCE,
    AccountLink,
    AccountOverride,
    AccountProfile,
    AccountTransfer,
    AlertAction,
    BillingEvent,
    EngagementEvent,
    InputEvent,
    ModelChange,
    SupportEvent,
    SurveyResponse,
    UsageEnvelope,
    UsageEvent,
)
from schemas.records.journal import ClockTick, JournalBatch, SourceRange, UsageCell
from schemas.records.outputs import (
    BAND_ORDER,
    AccountHealth,
    AccountKpis,
    Adjustment,
    Cap,
    Measure,
    Override,
    RiskAlert,
    ShadowScore,
)

__all__ = [
    "BAND_ORDER",
    "OWN_SOURCE",
    "AccountHealth",
    "AccountKpis",
    "AccountLink",
    "AccountOverride",
    "AccountProfile",
    "AccountTransfer",
    "Adjustment",
    "AlertAction",
    "BillingEvent",
    "Cap",
    "ClockTick",
    "DeadLetter",
    "EngagementEvent",
    "InputEvent",
    "JournalBatch",
    "Measure",
    "ModelChange",
    "Override",
    "RiskAlert",
    "ShadowScore",
    "SourceRange",
    "SupportEvent",
    "SurveyResponse",
    "UsageCell",
    "UsageEnvelope",
    "UsageEvent",
]

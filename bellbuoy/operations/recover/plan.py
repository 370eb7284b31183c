"""
Recovery of a deployment whose topics are not the logs any more that its positions and states came from.

Each recovery is planned first, and the plan says what is lost. It needs journal and worker stopped, and may
be run again after it was cut off.
"""

from __future__ import annotations

from functools import partial

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.operations.kafka.topics import Area, topic_partitions
from bellbuoy.operations.recover.inputs import plan_inputs
from bellbuoy.operations.recover.journal import plan_journal
from bellbuoy.operations.recover.recovery import Recovery
from bellbuoy.operations.recover.states import plan_changelog, plan_outputs
from bellbuoy.operations.recover.stopped_pipeline import StoppedPipeline
from bellbuoy.settings import Settings

__all__ = ["plan_recovery"]

_PLANS = {
    "inputs": plan_inputs,
    "journal": plan_journal,
    "changelog": plan_changelog,
    "outputs": plan_outputs,
}


def plan_recovery(settings: Settings, area: Area) -> Recovery:
    """Return the plan for a part of the topics; raise RecoverError while a role runs, and KafkaAwayError."""
    deployment = StoppedPipeline(settings)
    existing = topic_partitions(deployment.connection)
    deployment.require_stopped()
    recovery = Recovery(area)
    retry_while_leaderless(deployment.connection, partial(_PLANS[area], deployment, existing, recovery))
    return recovery

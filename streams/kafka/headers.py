"""Names of the headers that records carry inside the pipeline."""

from __future__ import annotations

__all__ = ["INDEX_HEADER", "MOVED_HEADER", "TOPIC_ID_HEADER"]

MOVED_HEADER = "bellbuoy-moved-from"
"""On a misplaced record that was moved, and on a transfer: the partition where it was counted."""

INDEX_HEADER = "bellbuoy-envelope-index"
"""On a record of one event that came in an envelope: the event's index there, from 0."""

TOPIC_ID_HEADER = "bellbuoy-topic-id"
"""On a dead letter of the journal: Kafka's id of its topic, which a topic that is made anew does not keep."""

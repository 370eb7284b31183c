"""The Kafka of a deployment, as its settings name it."""

from __future__ import annotations

from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from streams.kafka.cluster import Cluster

__all__ = ["kafka_cluster"]


def kafka_cluster(settings: Settings) -> Cluster:
    """Return the cluster with the deployment's topics and schema registry; raise as ``registry`` does."""
    return Cluster(settings.kafka.connection(), settings.kafka.topics(), registry(settings))

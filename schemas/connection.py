"""The connection to a Kafka cluster: its brokers, as one value for every client library."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Connection"]


@dataclass(frozen=True, slots=True)
class Connection:
    """
    The way to a Kafka cluster, which every client of it is made with.

    ``bootstrap`` is ``host:port`` of brokers, with commas between; the text of a connection is that.
    """

    bootstrap: str

    def __str__(self) -> str:
        return self.bootstrap

    def librdkafka(self) -> dict[str, str]:
        """Return the settings with which a client of librdkafka connects."""
        return {"bootstrap.servers": self.bootstrap}

"""The logs that one sink is filled from, and whether its positions still are positions of them."""

from __future__ import annotations

from collections.abc import Mapping

from streams.delivery.offsets import SinkOffsets
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.kafka.log_inspector import Inspection, LogInspector
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.log_watch import LogWatch

__all__ = ["OutputLogs"]


class OutputLogs:
    """
    The logs of the partitions that a sink's consumer owns.

    ``watch`` compares their positions with the broker every few seconds, in its thread; ``hold`` says in the
    consumer's thread what it found, and ``ends`` where the logs ended then.
    """

    def __init__(self, cluster: Cluster, offsets: SinkOffsets) -> None:
        self._inspector = LogInspector(cluster.connection)
        self._partitions = cluster.topics.partitions
        self._offsets = offsets
        self.ends: dict[Part, int] = {}
        self._found: list[Inspection] = []
        self._failures: list[BaseException] = []
        self.watch = LogWatch(
            cluster.connection,
            self._partitions,
            lambda: dict(offsets.written),
            self._found.append,
            self._failures.append,
        )

    def inspect(self, positions: Mapping[Part, LogPosition]) -> Inspection:
        """
        Return what is wrong with positions now.

        Raises KafkaException, and LogChangedError when a topic has another number of partitions.
        """
        inspection = self._inspector.inspect(positions, self._partitions)
        for fault in inspection.faults:
            if fault.kind == "partitions_added":
                raise LogChangedError(
                    f"{fault.sentence}, not {self._partitions}; run `bellbuoy recover outputs --dry-run`"
                )
        return inspection

    def hold(self) -> bool:
        """Return whether the watch found every position right; raise what ended the watch."""
        for failure in self._failures:
            raise failure
        found = [self._found.pop() for _ in range(len(self._found))]
        for inspection in found:
            self._offsets.learn_epochs(inspection.ends)
            self.ends = {part: end.offset for part, end in inspection.ends.items()}
        return not any(inspection.faults for inspection in found)

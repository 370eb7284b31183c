"""
The loop of one journal partition, a thread: fetch, write, rest.

A lone event is written at once. After a batch the partition rests a little, and until the worker has granted
its next credit (``streams/pacing/credits.py``), so that under load an account's events gather and are scored
together instead of one by one. A backlog is read without rest: what is fetched within a second, or while the
worker is busy with the last batch, becomes one batch, in which an account's events are rolled up. With a
simulation's clock batches neither rest nor gather: the simulation waits for the worker by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread

from streams.journal.partition import JournalPartition
from streams.kafka.cluster import Cluster
from streams.kafka.fetcher import EARLIEST, RecordBatchFetcher
from streams.kafka.log_inspector import Inspection
from streams.kafka.log_position import Part
from streams.kafka.open_transaction import OpenTransaction
from streams.kafka.record_batches import RawBatch
from streams.pacing.progress import ProgressWatcher
from streams.settings import JournalSettings

__all__ = ["JournalLoop"]

_STOP_CHECK_SECONDS = 0.05
"""How often a resting loop sees whether it is to stop."""
_CLOCK_CHECK_SECONDS = 0.5
"""How often a loop whose host's clock is wrong looks at it again."""
_GATHER_SECONDS = 1.0
"""A backlog is gathered at least so long: an account costs the worker the same for one event as for many."""
_MAX_GATHERED_BYTES = 32_000_000
"""Memory of a partition's rolled-up backlog; beyond it a batch is written, however busy the worker is."""


class JournalLoop:
    """Reads one partition's inputs and writes its journal until stopped; ``error`` is what ended it early."""

    def __init__(
        self,
        cluster: Cluster,
        partition: JournalPartition,
        settings: JournalSettings,
        progress: ProgressWatcher,
        *,
        fetch_bytes: int,
        in_doubt: Callable[[], None],
    ) -> None:
        """Take what the loop works with; ``in_doubt`` asks for an inspection of the inputs."""
        self.error: BaseException | None = None
        self.round_began = time.monotonic()
        self._partition = partition
        self._settings = settings
        self._progress = progress
        self._clock = cluster.topics.name("simulation.clock")
        self._clock_codec = cluster.codec("simulation.clock")
        self._fetcher = RecordBatchFetcher(cluster.connection, max_bytes=fetch_bytes)
        self._in_doubt = in_doubt
        self._inspections: SimpleQueue[Inspection] = SimpleQueue()
        self._clock_read = {(self._clock, partition.number)} if settings.clock == "simulated" else set()
        self._assign()
        self._gathering_since: float | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"journal-{partition.number}", daemon=True)

    @property
    def number(self) -> int:
        """The partition's number."""
        return self._partition.number

    @property
    def clock_fault(self) -> str:
        """Why the host's clock can't be used now; an empty string where it can."""
        return self._partition.clock.fault

    def open_transactions(self) -> dict[Part, OpenTransaction]:
        """Return the open transactions of others on the inputs."""
        return self._fetcher.open_transactions()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the batch that it is writing."""
        self._stopping.set()

    def inspected(self, inspection: Inspection) -> None:
        """Take the answer of an inspection of the inputs; what it says of other partitions is ignored."""
        self._inspections.put(inspection)

    def join(self) -> None:
        """Return once the loop has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.round_began = time.monotonic()
                while not self._inspections.empty():
                    self._take(self._inspections.get())
                if self._fetch_and_write():
                    self._rest()
        except BaseException as error:  # noqa: BLE001 - the stage raises it and ends the process
            self.error = error
        finally:
            self._fetcher.close()

    def _take(self, inspection: Inspection) -> None:
        """Go on where the inputs' logs have what is new, and trust what was in doubt and found right."""
        read = self._partition.read_positions()
        ours = [fault for fault in inspection.faults if (fault.topic, fault.partition) in read]
        gone = {(fault.topic, fault.partition) for fault in ours}
        trusted = (self._fetcher.in_doubt & inspection.ends.keys()) - gone
        movable = [fault for fault in ours if fault.can_be_read_on]
        if movable and self._partition.gathered_events:
            wall_time = None
            if self._settings.clock == "wall" and (wall_time := self._wall_time()) is None:
                return
            self._partition.write([], wall_time)
        moved = [self._partition.dispel(fault) for fault in movable]
        if trusted or any(moved):
            self._assign()

    def _assign(self) -> None:
        """Fetch each input from where it is read to."""
        read = self._partition.read_positions()
        starts = dict.fromkeys(self._clock_read, EARLIEST) | {part: at.offset for part, at in read.items()}
        self._fetcher.assign(starts, {part: position.epoch for part, position in read.items()})

    def _fetch_and_write(self) -> bool:
        """Fetch once, and write or gather what came; return whether to rest then."""
        inputs: list[RawBatch] = []
        for batch in self._fetcher.poll():
            if batch.topic == self._clock:
                for tick in batch.records():
                    self._partition.tick(self._clock_codec.decode(tick.value).now)
            else:
                inputs.append(batch)
        if self._fetcher.in_doubt:
            self._in_doubt()
        wall_time = None
        if self._settings.clock == "wall" and (wall_time := self._wall_time()) is None:
            return False  # stopped while the clock was wrong; nothing of this round is written
        if not (inputs or self._partition.gathered_events or self._partition.empty_batch_due(wall_time)):
            return False
        if wall_time is not None and self._fetcher.behind and self._gathering():
            self._partition.gather(inputs, wall_time)
            return False
        self._gathering_since = None
        sequence = self._partition.write(inputs, wall_time)
        self._progress.request(self._partition.number, sequence)
        return bool(inputs) and wall_time is not None and not self._fetcher.behind

    def _wall_time(self) -> int | None:
        """Return the time once the host's clock is right; ``None`` when stopped before."""
        while (wall_time := self._partition.clock.wall_time()) is None:
            self.round_began = time.monotonic()
            if self._stopping.wait(_CLOCK_CHECK_SECONDS):
                return None
        return wall_time

    def _gathering(self) -> bool:
        """Return whether to go on gathering the backlog, so that more events are folded together."""
        now = time.monotonic()
        if self._gathering_since is None:
            self._gathering_since = now
        worker_busy = self._progress.credit(self._partition.number) < self._partition.sequence
        fits = self._partition.gathered_bytes < _MAX_GATHERED_BYTES
        return fits and (worker_busy or now - self._gathering_since < _GATHER_SECONDS)

    def _rest(self) -> None:
        began = time.monotonic()
        self._stopping.wait(self._settings.rest_seconds)
        while (
            not self._stopping.is_set()
            and time.monotonic() - began < self._settings.most_rest_seconds
            and not self._progress.wait(self._partition.number, self._partition.sequence, _STOP_CHECK_SECONDS)
        ):
            pass

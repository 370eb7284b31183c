"""
The thread of one partition of the journal: read, write, rest.

A lone event goes on at once. After a batch the partition rests a little, and until the worker wants the next
one, so that under load the events of an account gather and are scored together instead of one by one. A
backlog is read without rest: what is read within a second, or while the worker is busy with the last batch,
becomes one batch, in which an account's events are rolled up.
A simulation waits for its worker by itself.
"""

from __future__ import annotations

import time
from threading import Event, Thread

from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.journal.partition import JournalPartition
from streams.kafka.record_batches import BatchReader, RawBatch
from streams.pacing.progress import ProgressWatcher
from streams.settings import JournalSettings

__all__ = ["JournalLane"]

_GLANCE_SECONDS = 0.05
"""While resting, whether to end is looked at this often."""
_GATHER_SECONDS = 1.0
"""A backlog is gathered at least so long: an account costs the worker the same for one event as for many."""
_MOST_GATHERED_BYTES = 32_000_000
"""Beyond so much memory, what is fetched next is written with what was gathered."""


class JournalLane:
    """Carries one partition on until ended; ``error`` is what stopped it, if anything did."""

    def __init__(
        self,
        bootstrap: str,
        topics: Topics,
        number: int,
        partition: JournalPartition,
        settings: JournalSettings,
        registry: Registry,
        fetch_bytes: int,
        applied: ProgressWatcher,
    ) -> None:
        self.error: BaseException | None = None
        self.went_round = time.monotonic()
        self._partition = partition
        self._settings = settings
        self._clock = topics.name("simulation.clock")
        self._tick = codec("simulation.clock", registry)
        self._reader = BatchReader(bootstrap, max_bytes=fetch_bytes)
        names = [topics.name(topic) for topic in INPUT_TOPICS]
        if settings.clock == "simulated":
            names.append(self._clock)
        self._reader.assign({(name, number): partition.next_offset(name) for name in names})
        self._applied = applied
        self._number = number
        self._gathering_since: float | None = None
        self._ending = Event()
        self._thread = Thread(target=self._run, name=f"journal-{number}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Let the batch at hand be the last."""
        self._ending.set()

    def join(self) -> None:
        """Return once the lane has ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self.went_round = time.monotonic()
                if self._round():
                    self._rest()
        except BaseException as error:  # noqa: BLE001 - the journal raises it and ends the process
            self.error = error
        finally:
            self._reader.close()

    def _round(self) -> bool:
        """Read and write what there is; tell whether to rest then."""
        inputs: list[RawBatch] = []
        for batch in self._reader.poll():
            if batch.topic == self._clock:
                for tick in batch.records():
                    self._partition.tick(self._tick.decode(tick.value).now)
            else:
                inputs.append(batch)
        wall = time.time_ns() // 1_000_000 if self._settings.clock == "wall" else None
        if not inputs and not self._partition.gathered and not self._partition.idle(wall):
            return False
        if wall is not None and self._reader.behind and self._gathers_on():
            self._partition.gather(inputs, wall)
            return False
        self._gathering_since = None
        self._applied.expect(self._number, self._partition.write(inputs, wall))
        return bool(inputs) and wall is not None and not self._reader.behind

    def _gathers_on(self) -> bool:
        """Tell whether to read on in the backlog, as what comes next is better folded with what is here."""
        now = time.monotonic()
        if self._gathering_since is None:
            self._gathering_since = now
        busy = self._applied.sequence(self._number) < self._partition.sequence
        fits = self._partition.gathered_bytes < _MOST_GATHERED_BYTES
        return fits and (busy or now - self._gathering_since < _GATHER_SECONDS)

    def _rest(self) -> None:
        began, sequence = time.monotonic(), self._partition.sequence
        self._ending.wait(self._settings.rest_seconds)
        while (
            not self._ending.is_set()
            and time.monotonic() - began < self._settings.most_rest_seconds
            and not self._applied.wait(self._number, sequence, _GLANCE_SECONDS)
        ):
            pass

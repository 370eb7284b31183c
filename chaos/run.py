"""A run of a company through the cluster: disturbed by faults on schedule, or left alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import KafkaException

from bellbuoy.operations.delivery.drain import NotDrainedError, undelivered_output, wait_drained
from bellbuoy.operations.kafka.errors import KafkaAwayError
from bellbuoy.operations.kafka.ledger import applied_events, read_positions
from bellbuoy.simulator.run.clock import SimulationClock
from chaos.cluster import Cluster
from chaos.company import DAYS, ChaosCompany, Day
from chaos.faults import InjectedFault
from chaos.final_state import FinalState, read_final_state
from chaos.sender import Sender
from schemas.codec.record_codec import codec
from streams.kafka.log_reader import last_record

__all__ = ["Run", "RunFault", "run_company", "schedule"]

_PATIENCE_SECONDS = 240.0
_SPREAD_SECONDS = 2.0
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RunFault:
    """
    A fault of a run: when it began, how long it was kept up, and how long until everything worked again.

    Everything works again when records sent to every partition after the fault are in its state, the sink
    has the outputs of them, and the gateway takes events. ``lost`` and ``doubled`` count events at the end of
    the fault's day. Times in seconds.
    """

    name: str
    began: float
    kept_up: float
    recovered: float
    lost: int = 0
    doubled: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """
    The faults of a run, its final state, and how often each role ended by itself.

    ``dead_letters`` counts those that were made, ``expected_dead_letters`` the records sent to become one.
    """

    faults: list[RunFault]
    final: FinalState
    dead_letters: int
    expected_dead_letters: int
    deaths: dict[str, int]
    seconds: float


def schedule(faults: Sequence[InjectedFault], chance: random.Random) -> dict[int, list[InjectedFault]]:
    """Spread the faults over all days but the first, each once, in random order."""
    shuffled = chance.sample(list(faults), len(faults))
    days = range(1, DAYS)
    planned: dict[int, list[InjectedFault]] = {}
    for number, fault in enumerate(shuffled):
        few = len(shuffled) < len(days)
        day = days[number * len(days) // len(shuffled) if few else number % len(days)]
        planned.setdefault(day, []).append(fault)
    return planned


def run_company(
    company: ChaosCompany,
    folder: Path,
    planned: Mapping[int, Sequence[InjectedFault]],
    disorder: random.Random | None,
    say: Callable[[str], None],
) -> Run:
    """
    Send the company's days, each once the day before is fully processed, and inject the planned faults.

    ``say`` is called with lines about the progress. Raises NotDrainedError when a day's processing
    stands still for four minutes.
    """
    faults: list[RunFault] = []
    began = time.monotonic()
    with Cluster(folder) as cluster:
        sender = Sender(cluster.connection, cluster.topics, cluster.gateway_port, disorder)
        clock, expected = SimulationClock(cluster.kafka_cluster), 0
        for number, day in enumerate(company.days()):
            _tick(cluster, clock, day.now)
            planned_today = planned.get(number, ())
            today = _run_day(cluster, sender, day, planned_today, disorder, began, say)
            expected += day.count
            wait_drained(cluster.kafka_cluster, cluster.sinks, _PATIENCE_SECONDS)
            applied = applied_events(cluster.connection, cluster.topics)
            lost, doubled = max(0, expected - applied), max(0, applied - expected)
            faults += [replace(fault, lost=lost, doubled=doubled) for fault in today]
            if applied != expected:
                names = ", ".join(fault.name for fault in planned_today) or "no fault"
                say(f"  after {names}: {applied:,} events are in the state, not {expected:,}")
            say(f"  day {number + 1} of {DAYS}: {expected:,} events, {time.monotonic() - began:.0f} s")
        return Run(
            faults,
            read_final_state(cluster, company),
            sum(p.dead_letters for p in read_positions(cluster.connection, cluster.topics).values()),
            sender.poisoned + sender.probes,
            cluster.deaths(),
            time.monotonic() - began,
        )


def _run_day(
    cluster: Cluster,
    sender: Sender,
    day: Day,
    planned: Sequence[InjectedFault],
    chance: random.Random | None,
    began: float,
    say: Callable[[str], None],
) -> list[RunFault]:
    """Send a day's events, and inject its faults meanwhile."""
    if day.first:
        sender.send_first(day, lambda: wait_drained(cluster.kafka_cluster, cluster.sinks, _PATIENCE_SECONDS))
        return []
    if chance is None:
        sender.send(day, 0.0)
        return []
    faults, errors = [], []

    def send() -> None:
        try:
            sender.send(day, _SPREAD_SECONDS if planned else 0.0, poison=bool(planned))
        except Exception as error:  # noqa: BLE001 - raised by the thread that waits for this one
            errors.append(error)

    thread = threading.Thread(target=send, name="sender")
    thread.start()
    # A generator of its own: the sender takes numbers from ``chance`` at its own pace.
    times = random.Random(f"{day.now} {len(planned)}")
    for fault in planned:
        time.sleep(times.uniform(0.0, _SPREAD_SECONDS))
        started = time.monotonic()
        fault.run(cluster, times)
        ended = time.monotonic()
        _await_recovery(cluster, sender, fault.name)
        recovered = time.monotonic()
        faults.append(RunFault(fault.name, started - began, ended - started, recovered - ended))
        say(
            f"{started - began:6.1f} s  {fault.name}: kept up {ended - started:.1f} s, "
            f"whole {recovered - ended:.1f} s after"
        )
    thread.join()
    if errors:
        raise errors[0]
    return faults


def _tick(cluster: Cluster, clock: SimulationClock, now: int) -> None:
    clock.tick(now)
    _wait_until(lambda: all(at == now for at in _state_times(cluster)), "the day to begin in every partition")


def _state_times(cluster: Cluster) -> list[int]:
    positions = read_positions(cluster.connection, cluster.topics)
    return [positions[p].written_at if p in positions else -1 for p in range(cluster.topics.partitions)]


def _await_recovery(cluster: Cluster, sender: Sender, fault: str) -> None:
    before: dict[int, int] = {}

    def moved_on() -> bool:
        if not before:
            before.update(_journal_ends(cluster))
            sender.probe()
        positions = read_positions(cluster.connection, cluster.topics)
        return all(p in positions and positions[p].sequence > sequence for p, sequence in before.items())

    _wait_until(moved_on, f"every partition to go on after {fault}")
    _wait_until(
        lambda: undelivered_output(cluster.connection, cluster.topics, cluster.sinks) is None,
        f"the sinks to have all outputs after {fault}",
    )
    _wait_until(cluster.gateway_ready, f"the gateway to take events after {fault}")


def _journal_ends(cluster: Cluster) -> dict[int, int]:
    decode, name = codec("account.journal").decode, cluster.topics.name("account.journal")
    last = {p: last_record(cluster.connection, name, p) for p in range(cluster.topics.partitions)}
    return {p: -1 if record is None else decode(record.value).sequence for p, record in last.items()}


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline, why = time.monotonic() + _PATIENCE_SECONDS, ""
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (KafkaAwayError, KafkaException) as error:
            why = f" ({error})"
        time.sleep(_PAUSE_SECONDS)
    raise NotDrainedError(f"waited {_PATIENCE_SECONDS:.0f} s for {what}{why}")

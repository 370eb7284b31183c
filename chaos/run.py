"""A run of a company through the stack: disturbed on schedule, or left alone."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bellbuoy.operations.drain import NotDrainedError, undelivered, wait_drained
from bellbuoy.operations.ledger import applied, positions
from bellbuoy.operations.topics import KafkaAwayError
from bellbuoy.simulator.run.clock import SimulationClock
from chaos.faults import InjectedFault
from chaos.fleet import Fleet
from chaos.knowing import Knowledge, know
from chaos.load import DAYS, Company, Day
from chaos.sending import Sender
from schemas.codec.record_codec import codec
from streams.kafka.log_reader import last_record

__all__ = ["Happened", "Run", "play", "schedule"]

_THROUGH_SECONDS = 240.0
_SPREAD_SECONDS = 2.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Happened:
    """
    A fault, when it began in the run, how long it was kept up, and when all was whole again after it.

    Whole is: what was sent to every partition after the fault is in its state, the sink has what came of
    it, and the front door takes events. ``lost`` and ``doubled`` count events at the end of its day.
    """

    fault: str
    began: float
    kept_up: float
    recovered: float
    lost: int = 0
    doubled: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """
    What happened, what is known at the end, and how often a role ended by itself.

    ``letters`` counts the dead letters, ``letters_sent`` what was sent to become one.
    """

    happened: list[Happened]
    knowledge: Knowledge
    letters: int
    letters_sent: int
    deaths: dict[str, int]
    seconds: float


def schedule(faults: Sequence[InjectedFault], chance: random.Random) -> dict[int, list[InjectedFault]]:
    """Spread the faults over the days but the first, each once, in an order of chance."""
    shuffled = chance.sample(list(faults), len(faults))
    days = range(1, DAYS)
    planned: dict[int, list[InjectedFault]] = {}
    for number, fault in enumerate(shuffled):
        few = len(shuffled) < len(days)
        day = days[number * len(days) // len(shuffled) if few else number % len(days)]
        planned.setdefault(day, []).append(fault)
    return planned


def play(
    company: Company,
    folder: Path,
    planned: Mapping[int, Sequence[InjectedFault]],
    disorder: random.Random | None,
    tell: Callable[[str], None],
) -> Run:
    """
    Send the company day by day, each once the one before it is through; do what is planned meanwhile.

    Raises NotDrainedError when a day doesn't get through within four minutes.
    """
    all_happened: list[Happened] = []
    began = time.monotonic()
    with Fleet(folder) as fleet:
        sender = Sender(fleet.bootstrap, fleet.topics, fleet.gateway_port, disorder)
        clock, expected = SimulationClock(fleet.bootstrap, fleet.topics), 0
        for number, day in enumerate(company.days()):
            _tick(fleet, clock, day.now)
            faults = planned.get(number, ())
            happened = _live(fleet, sender, day, faults, disorder, began, tell)
            expected += day.count
            wait_drained(fleet.bootstrap, fleet.topics, fleet.sinks, _THROUGH_SECONDS)
            short = expected - (there := applied(fleet.bootstrap, fleet.topics))
            lost, doubled = max(0, short), max(0, -short)
            all_happened += [replace(one, lost=lost, doubled=doubled) for one in happened]
            if short:
                names = ", ".join(fault.name for fault in faults) or "no fault"
                tell(f"  after {names}: {there:,} events are in the state, not {expected:,}")
            tell(f"  day {number + 1} of {DAYS}: {expected:,} events, {time.monotonic() - began:.0f} s")
        return Run(
            all_happened,
            know(fleet, company),
            sum(p.dead_letters for p in positions(fleet.bootstrap, fleet.topics).values()),
            sender.letters + sender.probes,
            fleet.deaths(),
            time.monotonic() - began,
        )


def _live(
    fleet: Fleet,
    sender: Sender,
    day: Day,
    faults: Sequence[InjectedFault],
    chance: random.Random | None,
    began: float,
    tell: Callable[[str], None],
) -> list[Happened]:
    """Send a day and do to the stack meanwhile what is planned."""
    if day.first:
        sender.found(day, lambda: wait_drained(fleet.bootstrap, fleet.topics, fleet.sinks, _THROUGH_SECONDS))
        return []
    if chance is None:
        sender.send(day, 0.0)
        return []
    happened, failed = [], []

    def send() -> None:
        try:
            sender.send(day, _SPREAD_SECONDS if faults else 0.0, poison=bool(faults))
        except Exception as error:  # noqa: BLE001 - told by the thread that waits for it
            failed.append(error)

    thread = threading.Thread(target=send, name="sender")
    thread.start()
    moments = random.Random(f"{day.now} {len(faults)}")  # the sender draws from the other at its own pace
    for fault in faults:
        time.sleep(moments.uniform(0.0, _SPREAD_SECONDS))
        started = time.monotonic()
        fault.run(fleet, moments)
        over = time.monotonic()
        _await_whole(fleet, sender, fault.name)
        whole = time.monotonic()
        happened.append(Happened(fault.name, started - began, over - started, whole - over))
        tell(
            f"{started - began:6.1f} s  {fault.name}: kept up {over - started:.1f} s, "
            f"whole {whole - over:.1f} s after"
        )
    thread.join()
    if failed:
        raise failed[0]
    return happened


def _tick(fleet: Fleet, clock: SimulationClock, now: int) -> None:
    clock.tick(now)
    _until(lambda: all(at == now for at in _written(fleet)), "the day to begin in every partition")


def _written(fleet: Fleet) -> list[int]:
    found = positions(fleet.bootstrap, fleet.topics)
    return [found[p].written_at if p in found else -1 for p in range(fleet.topics.partitions)]


def _await_whole(fleet: Fleet, sender: Sender, fault: str) -> None:
    before: dict[int, int] = {}

    def moved() -> bool:
        if not before:
            before.update(_ends(fleet))
            sender.probe()
        found = positions(fleet.bootstrap, fleet.topics)
        return all(p in found and found[p].sequence > sequence for p, sequence in before.items())

    _until(moved, f"every partition to go on after {fault}")
    _until(
        lambda: undelivered(fleet.bootstrap, fleet.topics, fleet.sinks) is None,
        f"the sink to have all after {fault}",
    )
    _until(lambda: _takes(fleet), f"the front door after {fault}")


def _ends(fleet: Fleet) -> dict[int, int]:
    decode, name = codec("account.journal").decode, fleet.topics.name("account.journal")
    last = {p: last_record(fleet.bootstrap, name, p) for p in range(fleet.topics.partitions)}
    return {p: -1 if record is None else decode(record.value).sequence for p, record in last.items()}


def _takes(fleet: Fleet) -> bool:
    connection = HTTPConnection("127.0.0.1", fleet.gateway_port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline, why = time.monotonic() + _THROUGH_SECONDS, ""
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except KafkaAwayError as error:
            why = f" ({error})"
        time.sleep(_PAUSE)
    raise NotDrainedError(f"waited {_THROUGH_SECONDS:.0f} s for {what}{why}")

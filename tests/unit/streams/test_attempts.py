"""A record that a sink can't take now waits, in order with its own thread, and the others pass."""

from __future__ import annotations

from collections.abc import Callable

from sinks.port import DeliveryOrder
from streams.delivery.attempts import MAX_WAITING, AttemptQueue, WaitingRecord
from streams.kafka.log_position import LogPosition
from streams.kafka.record import KafkaRecord
from tests.support.output_records import notification

PART = ("alert.notifications", 0)


class Service:
    """
    A sink's service on a virtual clock, and the queue before it.

    ``fails`` says of a record's name and address whether an attempt fails; each attempt takes ``takes``
    seconds. A record's name is also its thread unless it says another one: ``thread:name``.
    """

    def __init__(self, fails: Callable[[str, str], bool], takes: float = 0.0) -> None:
        self.fails, self.takes = fails, takes
        self.queue = AttemptQueue(1.0)
        self.now = 0.0
        self.tried: list[tuple[float, str]] = []
        self.taken: list[str] = []
        self.offset = 0

    def read(self, *names: str, address: str = "all") -> None:
        for name in names:
            source = KafkaRecord(*PART, self.offset, b"k", name.encode(), [])
            order = DeliveryOrder(name.partition(":")[0], address)
            output = notification(name)
            self.queue.add(WaitingRecord(source, output, LogPosition(self.offset), order))
            self.offset += 1
            self.queue.read([(PART, LogPosition(self.offset))])

    def run(self, seconds: float, step: float = 0.5) -> None:
        until = self.now + seconds
        while self.now < until:
            for choose in (self.queue.fresh, self.queue.retry):
                record = choose(self.now)
                if record is not None:
                    self._attempt(record)
            if not self.queue.ready(self.now):
                self.now += step

    def committed(self) -> int:
        return self.queue.positions()[PART].offset

    def times(self, name: str) -> list[float]:
        return [at for at, tried in self.tried if tried == name]

    def _attempt(self, record: WaitingRecord) -> None:
        began, name = self.now, (record.source.value or b"").decode()
        self.tried.append((began, name))
        self.now += self.takes
        if self.fails(name, record.order.address):
            self.queue.failed(record, began, self.now, None)
        else:
            self.queue.done(record, taken=True)
            self.taken.append(name)


def test_those_behind_a_record_that_always_fails_pass_it_and_it_is_tried_ever_more_rarely() -> None:
    service = Service(lambda name, _: name == "poison")
    service.read("poison")
    for number in range(3_600):
        service.read(f"n{number}")
        service.run(1.0)

    assert len(service.taken) == 3_600
    assert service.committed() == 0
    gaps = [b - a for a, b in zip(service.times("poison"), service.times("poison")[1:], strict=False)]
    assert len(gaps) < 15
    assert gaps == sorted(gaps)

    service.fails = lambda *_: False
    service.run(1_000)
    assert service.taken[-1] == "poison"
    assert service.committed() == service.offset


def test_a_change_of_an_alert_waits_for_the_one_before_and_other_alerts_do_not() -> None:
    service = Service(lambda name, _: name == "a:1")
    service.read("a:1", "b:1", "a:2", "b:2", "a:3")
    service.run(60)
    assert service.taken == ["b:1", "b:2"]

    service.fails = lambda *_: False
    service.run(60)
    assert service.taken == ["b:1", "b:2", "a:1", "a:2", "a:3"]


def test_a_dead_address_that_hangs_takes_little_of_the_others_time() -> None:
    service = Service(lambda _, address: address == "dead", takes=20.0)
    for number in range(20):
        service.read(f"dead-{number}", address="dead")
    service.run(3_600)
    lost = len(service.tried) * 20.0
    service.takes = 0.0
    service.read("alive", address="alive")
    service.run(1.0)

    assert service.taken == ["alive"]
    assert lost < 0.2 * 3_600


def test_a_service_that_is_away_is_asked_about_twice_a_minute_and_then_gets_all_at_once() -> None:
    service = Service(lambda *_: True)
    service.read(*(f"n{number}" for number in range(500)))
    service.run(3_600)
    assert 100 < len(service.tried) < 140

    service.fails = lambda *_: False
    service.run(31)
    assert len(service.taken) == 500
    assert service.committed() == 500


def test_the_few_records_of_a_service_that_was_away_come_within_a_minute_as_well() -> None:
    service = Service(lambda *_: True)
    service.read("n0", "n1")
    service.run(3_600)
    service.fails = lambda *_: False
    service.run(31)

    assert sorted(service.taken) == ["n0", "n1"]


def test_the_service_says_how_long_it_wants_to_be_left_alone() -> None:
    service = Service(lambda *_: True)
    service.read("n0", "n1")
    record = service.queue.fresh(0.0)
    assert record is not None
    service.queue.failed(record, 0.0, 0.0, 600.0)

    assert not service.queue.ready(599.0)
    assert service.queue.ready(600.0)


def test_so_many_may_wait_and_no_more() -> None:
    service = Service(lambda *_: True)
    service.read(*(f"n{number}" for number in range(MAX_WAITING)))
    assert service.queue.full
    assert service.queue.undone(PART) == LogPosition(0)

    service.fails = lambda *_: False
    service.run(0.5)
    assert not service.queue.full
    assert len(service.queue) == 0


def test_an_address_that_takes_others_is_no_reason_to_call_the_sink_unready() -> None:
    service = Service(lambda _, address: address == "dead")
    service.read("n0", address="dead")
    service.run(0.5)
    assert not service.queue.takes_some

    service.read("n1", address="alive")
    service.run(0.5)
    assert service.queue.takes_some

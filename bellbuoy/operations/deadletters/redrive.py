"""Repair and redrive dead letters, one or many, and say what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from msgspec.structs import replace

from bellbuoy.operations.changes import journal_time
from bellbuoy.operations.deadletters.repair import DeadLetterRepair, Draft, Flaw
from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.intake.admission import Admission
from schemas.records import DeadLetter
from schemas.times import DAY, MINUTE
from streams.deadletters.producer import DeadLetterProducer
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from streams.deadletters.redrive import Redriver, RepairedEvent

__all__ = ["RedriveOutcome", "dead_letter_repair", "redrive", "repair"]

_PER_TRANSACTION = 500

Change = Callable[[DeadLetterRepair, DeadLetter], Draft | None]
"""What a letter's draft is to be."""


@dataclass(slots=True)
class RedriveOutcome:
    """How many letters are ``done`` and redriven ``already``, and which are ``faulty``, and why."""

    done: int = 0
    already: int = 0
    faulty: list[tuple[DeadLetter, list[Flaw]]] = field(default_factory=list)

    def as_data(self, verb: str) -> dict[str, Any]:
        """Return the outcome for programs; ``verb`` names what was done."""
        faulty = [
            {
                "id": letter.id,
                "topic": letter.topic,
                "faults": [{"pointer": f.pointer, "what": f.what, "fix": f.fix} for f in flaws],
            }
            for letter, flaws in self.faulty
        ]
        return {verb: self.done, "already_redriven": self.already, "faulty": faulty}


def dead_letter_repair(settings: Settings) -> DeadLetterRepair:
    """Return a mender at the journal's time; raise KafkaAwayError."""
    kafka, journal = settings.kafka, settings.journal
    limits = Admission(journal.horizon_days * DAY, journal.future_minutes * MINUTE)
    return DeadLetterRepair(kafka.topics(), registry(settings), limits, journal_time(settings))


def repair(
    settings: Settings, letters: Iterable[DeadLetter], change: Change | None, *, dry_run: bool
) -> RedriveOutcome:
    """
    Write the repair of each letter that is right after its change; without a change only judge them.

    Raises KafkaAwayError, KafkaException and DeadLetterProducerError, and whatever ``change`` raises.
    """
    kafka, outcome, mends = settings.kafka, RedriveOutcome(), dead_letter_repair(settings)
    producer = DeadLetterProducer(kafka.bootstrap, kafka.topics(), registry(settings))
    for letter in letters:
        if letter.status == "redriven":
            outcome.already += 1
            continue
        event, flaws = mends.judge(letter, (change or DeadLetterRepair.draft)(mends, letter))
        if event is None:
            outcome.faulty.append((letter, flaws))
            continue
        outcome.done += 1
        if change is not None and not dry_run:
            mended = replace(letter, status="repaired", mended=mends.encode(event), changed_at=now())
            producer.send(mended, letter.id.encode())
    producer.flush()
    return outcome


def redrive(
    settings: Settings, wanted: DeadLetterFilter, told: Callable[[int], None], *, dry_run: bool
) -> RedriveOutcome:
    """
    Send what is right through the front again, each letter once; ``told`` hears how many were so far.

    Raises KafkaAwayError and KafkaException, and FencedError when another redrive took over.
    """
    kafka, outcome = settings.kafka, RedriveOutcome()
    topics, known, mends = kafka.topics(), registry(settings), dead_letter_repair(settings)
    # Before reading: what an earlier redriver has committed can be read only once it is fenced.
    redriver = None if dry_run else Redriver(kafka.bootstrap, topics, known)
    sendables = _sendables(read_dead_letters(kafka.bootstrap, topics, known, wanted), mends, outcome)
    while some := list(islice(sendables, _PER_TRANSACTION)):
        if redriver is not None:
            redriver.send(some, now())
        outcome.done += len(some)
        told(outcome.done)
    return outcome


def _sendables(
    letters: Iterable[DeadLetter], mends: DeadLetterRepair, outcome: RedriveOutcome
) -> Iterator[RepairedEvent]:
    for letter in letters:
        if letter.status == "redriven":
            outcome.already += 1
            continue
        event, flaws = mends.judge(letter, mends.draft(letter))
        if event is None:
            outcome.faulty.append((letter, flaws))
        else:
            yield RepairedEvent(letter, mends.topic(event), event)

"""Repair and redrive of many dead letters, with a count of the results and a list of those still faulty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from bellbuoy.operations.deadletters.repair import NOTIFICATIONS, DeadLetterRepair, Draft, Flaw
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from bellbuoy.times import now
from schemas.records import DeadLetter
from streams.deadletters.original import original_value
from streams.deadletters.producer import DeadLetterProducer
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters
from streams.deadletters.redrive import Redriver, RepairedEvent

__all__ = ["RedriveResult", "dead_letter_repair", "redrive", "repair"]

_RECORDS_PER_TRANSACTION = 500

Change = Callable[[DeadLetterRepair, DeadLetter], Draft | None]
"""Returns the draft of a dead letter with the operator's edits; ``None``: it has none."""


@dataclass(slots=True)
class RedriveResult:
    """
    Result of a repair or a redrive.

    ``done`` counts the dead letters repaired or sent, ``already`` those redriven earlier; ``faulty`` are
    those that still have flaws, with their flaws.
    """

    done: int = 0
    already: int = 0
    faulty: list[tuple[DeadLetter, list[Flaw]]] = field(default_factory=list)

    def as_data(self, verb: str) -> dict[str, Any]:
        """Return the result as data for programs; ``verb`` is the key of the count done."""
        faulty = [
            {
                "id": letter.id,
                "topic": letter.topic,
                "faults": [{"pointer": x.pointer, "what": x.what, "fix": x.fix} for x in flaws],
            }
            for letter, flaws in self.faulty
        ]
        return {verb: self.done, "already_redriven": self.already, "faulty": faulty}


def dead_letter_repair(settings: Settings) -> DeadLetterRepair:
    """Return the repair of dead letters at the journal's present time; raise KafkaAwayError."""
    kafka, limits = settings.kafka, settings.journal.admission()
    topics, schemas = kafka.topics(), registry(settings)
    original = partial(original_value, kafka.connection(), topics, schemas)
    return DeadLetterRepair(topics, schemas, limits, journal_time(settings), original)


def repair(
    settings: Settings, letters: Iterable[DeadLetter], change: Change | None, *, dry_run: bool
) -> RedriveResult:
    """
    Write the repaired record of each dead letter that has no flaw after its change.

    Without a change nothing is written; the dead letters are only judged. Raises KafkaAwayError,
    KafkaException and DeadLetterProducerError, and whatever ``change`` raises.
    """
    kafka, result, repairs = settings.kafka, RedriveResult(), dead_letter_repair(settings)
    producer = DeadLetterProducer(kafka.connection(), kafka.topics(), registry(settings))
    for letter in letters:
        if letter.status == "redriven":
            result.already += 1
            continue
        event, flaws = repairs.judge(letter, (change or DeadLetterRepair.draft)(repairs, letter))
        if event is None:
            result.faulty.append((letter, flaws))
            continue
        result.done += 1
        if change is not None and not dry_run:
            repaired = replace(letter, status="repaired", mended=repairs.encode(event), changed_at=now())
            producer.send(repaired, letter.id.encode())
    producer.flush()
    return result


def redrive(
    settings: Settings, wanted: DeadLetterFilter, progress: Callable[[int], None], *, dry_run: bool
) -> RedriveResult:
    """
    Send the records without a flaw to their topics again, each dead letter once.

    A notification goes to the channel that failed, and to no other one. It is sent only where its id or its
    topic is wanted, so that nobody who redrives events tells people of what was weeks ago.

    ``progress`` is called with how many are sent so far. Raises KafkaAwayError and KafkaException, and
    FencedError when another redrive took over.
    """
    kafka, result = settings.kafka, RedriveResult()
    topics, schemas, repairs = kafka.topics(), registry(settings), dead_letter_repair(settings)
    # Created before reading: an earlier redriver's last commit can be read only once it is fenced.
    redriver = None if dry_run else Redriver(kafka.connection(), topics, schemas)
    named = wanted.ids is not None or wanted.topic == NOTIFICATIONS
    letters = read_dead_letters(kafka.connection(), topics, wanted)
    events = _repaired_events(letters, repairs, result, named=named)
    while chunk := list(islice(events, _RECORDS_PER_TRANSACTION)):
        if redriver is not None:
            redriver.send(chunk, now())
        result.done += len(chunk)
        progress(result.done)
    return result


def _repaired_events(
    letters: Iterable[DeadLetter], repairs: DeadLetterRepair, result: RedriveResult, *, named: bool
) -> Iterator[RepairedEvent]:
    """Yield what can be sent; notifications only where the operator ``named`` them, as people get them."""
    for letter in letters:
        if letter.status == "redriven":
            result.already += 1
            continue
        told = repairs.notification(letter) if named else None
        if told is not None:
            yield RepairedEvent(letter, NOTIFICATIONS, told)
            continue
        event, flaws = repairs.judge(letter, repairs.draft(letter))
        if event is None:
            result.faulty.append((letter, flaws))
        else:
            yield RepairedEvent(letter, repairs.topic(event), event)

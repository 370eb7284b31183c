"""Correction of one dead letter by hand: its record as JSON, what is wrong with it, and its way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.deadletters.redrive import RedriveResult, dead_letter_repair, redrive, repair
from bellbuoy.operations.deadletters.repair import DeadLetterRepair, Draft, Flaw
from bellbuoy.settings import Settings
from schemas.records import DeadLetter
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters

__all__ = ["Correction", "CorrectionError", "correct", "correction_of"]


class CorrectionError(OperatorError):
    """A dead letter can't be corrected as asked; the message says why."""

    exit_code = CONFIGURATION


class Correction(NamedTuple):
    """A dead letter with its record as JSON ('' where it has no form), and every flaw that it has now."""

    letter: DeadLetter
    text: str
    flaws: list[Flaw]


def correction_of(settings: Settings, tenant: str, letter_id: str) -> Correction:
    """Return what there is to correct; raise CorrectionError, KafkaAwayError and KafkaException."""
    letter, repairs = _letter(settings, tenant, letter_id), dead_letter_repair(settings)
    draft = repairs.draft(letter)
    _, flaws = repairs.judge(letter, draft)
    if draft is None:
        return Correction(letter, "", flaws)
    text = orjson.dumps(draft.fields, default=_hex, option=orjson.OPT_INDENT_2).decode()
    return Correction(letter, text, flaws)


def correct(settings: Settings, tenant: str, letter_id: str, text: str) -> RedriveResult:
    """
    Repair a dead letter of a tenant with a record as JSON, and send it to its input topic again.

    Nothing is sent where the record still has a flaw: the result then lists them. The record stays the
    tenant's, whatever the text says. Raises CorrectionError, KafkaAwayError, KafkaException and
    FencedError.
    """
    fields = _fields(text)
    letter = _letter(settings, tenant, letter_id)

    def change(repairs: DeadLetterRepair, one: DeadLetter) -> Draft | None:
        draft = repairs.whole(one, fields)
        if draft is None or draft.source is not None:
            return draft  # what a source reads gets its tenant from the dead letter
        return replace(draft, fields=draft.fields | {"tenant": tenant})

    repaired = repair(settings, [letter], change, dry_run=False)
    if not repaired.done:
        return repaired
    return redrive(settings, DeadLetterFilter(tenant=tenant, ids=(letter.id,)), lambda _: None, dry_run=False)


def _letter(settings: Settings, tenant: str, letter_id: str) -> DeadLetter:
    kafka = settings.kafka
    wanted = DeadLetterFilter(tenant=tenant, ids=(letter_id,))
    for letter in read_dead_letters(kafka.connection(), kafka.topics(), wanted):
        if letter.id == letter_id:
            return letter
    raise CorrectionError("there is no such dead letter any more")


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CorrectionError(f"the record is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise CorrectionError("the record is not one JSON object")
    return fields


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

"""Dead letters made right: every fault is told with its pointer, and what is right becomes an event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bellbuoy.cli.intake import deadletters_filter
from bellbuoy.operations.deadletters.edits import EditError, edited
from bellbuoy.operations.deadletters.repair import DeadLetterRepair, Draft
from processors.intake.admission import Admission
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.records import DeadLetter, InputEvent, SurveyResponse, UsageEvent, dead_letters
from schemas.records.dead_letters import REASONS, STATUSES
from schemas.times import DAY
from schemas.topics import Topics
from tests.support.gateway_client import GatewayClient

NOW = 1_780_000_000_000
MENDER = DeadLetterRepair(Topics("t-"), committed(), Admission(90 * DAY, 3_600_000), NOW)
USAGE = codec("usage.events")


def usage(**changes: Any) -> UsageEvent:
    given = {"event_id": "1", "tenant": "acme", "account_id": "a", "source": "app", "name": "n"}
    return UsageEvent(**(given | {"occurred_at": NOW - 5, "received_at": NOW} | changes))


def letter(value: bytes | None, topic: str = "usage.events", **fields: Any) -> DeadLetter:
    given = {"reason": "invalid", "detail": "why", "partition": 1, "offset": 2, "failed_at": NOW}
    return dead_letters.of_record(topic=topic, value=value, **(given | fields))


def judged(
    found: DeadLetter, *sets: str, unset: tuple[str, ...] = (), whole: Any = None
) -> tuple[Any, list[tuple[str, str]]]:
    draft = MENDER.draft(found) if whole is None else MENDER.whole(found, whole)
    if draft is not None:
        draft = replace(draft, fields=edited(draft.fields, sets, unset, MENDER.reader(draft)))
    event, flaws = MENDER.judge(found, draft)
    return event, [(flaw.pointer, flaw.fix) for flaw in flaws]


def test_every_refusal_is_told_at_once() -> None:
    bad = letter(USAGE.encode(usage(duration_ms=-3, account_id="", event_id="")))

    event, flaws = judged(bad)

    assert event is None
    assert [pointer for pointer, _ in flaws] == ["/account_id", "/event_id", "/duration_ms"]
    mended, none = judged(bad, "duration_ms=3", "account_id=4711", 'event_id="x"')
    assert (mended, none) == (usage(duration_ms=3, account_id="4711", event_id="x"), [])


def test_every_departure_from_the_schema_is_told_at_once() -> None:
    fields = {"event_id": "1", "account_id": "a", "colour": 1, "duration_ms": "long", "error": 1}

    _, flaws = judged(letter(b"\xff", tenant="acme"), whole=fields)

    assert flaws == [
        ("/colour", "--unset /colour"),
        ("/occurred_at", "--set /occurred_at=…"),
        ("/name", "--set /name=…"),
        ("/duration_ms", "--set /duration_ms=…"),
        ("/error", "--set /error=…"),
    ]


def test_undecodable_bytes_are_replaced_by_a_whole_record() -> None:
    garbage = letter(b"\xff", tenant="acme", producer="app")

    assert judged(garbage) == (None, [("", "give the whole record: --file")])
    event, flaws = judged(
        garbage, whole={"event_id": "1", "account_id": "a", "name": "n", "occurred_at": NOW - 5}
    )
    assert (event, flaws) == (usage(), [])


def test_times_and_texts_are_taken_as_people_write_them() -> None:
    bad = letter(USAGE.encode(usage(occurred_at=5)))

    _, flaws = judged(bad)
    event, none = judged(bad, "occurred_at=2026-05-28T20:26:40Z", "user_id=007", "feature=null")

    assert [pointer for pointer, _ in flaws] == ["/occurred_at"]
    assert flaws[0][1].startswith("leave it, it can't count any more")
    assert (event.occurred_at, event.user_id, event.feature, none) == (NOW, "007", None, [])


def test_a_letter_of_the_future_is_right_once_its_time_has_come() -> None:
    early = letter(USAGE.encode(usage(occurred_at=NOW + 3 * 3_600_000)))
    later = DeadLetterRepair(Topics("t-"), committed(), Admission(90 * DAY, 3_600_000), NOW + 2 * 3_600_000)

    assert judged(early)[1][0][1].startswith("redrive it when its time has come")
    assert later.judge(early, later.draft(early))[0] == usage(occurred_at=NOW + 3 * 3_600_000)


def test_what_a_sink_refused_is_not_an_input() -> None:
    (flaw,) = MENDER.judge(letter(b"x", "t-account.health"), None)[1]
    assert "bellbuoy rebuild" in flaw.fix


def test_a_repair_is_what_is_edited_next_and_may_change_the_topic() -> None:
    given = msgspec.structs.asdict(usage())
    answer = {name: given[name] for name in InputEvent.__struct_fields__}
    survey = codec("survey.responses").encode(SurveyResponse(**answer, survey_id="q", kind="nps", score=9))
    mended = msgspec.structs.replace(letter(b"\xff"), status="repaired", mended=survey)

    event, _ = judged(mended)

    assert MENDER.topic(event) == "survey.responses"


class TestGatewayDeadLetters:
    """Dead letters of the gateway keep the sender's own form, and what the request around them said."""

    def letters(self, gateway: GatewayClient) -> list[DeadLetter]:
        found: list[DeadLetter] = gateway.sent("events.deadletter")
        return found

    def test_a_call_without_an_account_is_given_one(self) -> None:
        gateway = GatewayClient()
        skewed = {"anonymousId": "u", "event": "Opened", "timestamp": gateway.now - 600_000, "messageId": "m"}
        gateway.post("/v1/track", skewed | {"sentAt": "2026-05-28T20:16:40Z"})
        gateway.post("/v1/batch", {"batch": [skewed | {"type": "track"}], "sentAt": "2026-05-28T20:16:40Z"})

        single, of_many = self.letters(gateway)

        assert {x.reason for x in (single, of_many)} == {"unresolved_account"}
        assert judged(single)[1] == [("/context/groupId", "--set /context/groupId=…")]
        for found in (single, of_many):
            event, flaws = judged(found, "/context/groupId=acme-inc")
            assert flaws == []
            # The clock that stamped it was ten minutes slow; its time is corrected as it would have been.
            assert (event.account_id, event.event_id, event.occurred_at) == ("acme-inc", "m", gateway.now)

    def test_a_bad_call_in_a_batch_is_read_as_its_door_reads_it(self) -> None:
        gateway = GatewayClient()
        gateway.post("/v1/batch", {"batch": [{"type": "trak", "userId": "u", "context": {"groupId": "g"}}]})
        (found,) = self.letters(gateway)

        assert judged(found)[1] == [("/type", "--set /type=…")]
        assert judged(found, "/type=track")[1] == [("/event", "--set /event=…")]
        assert judged(found, "/type=identify")[1][0][1].startswith("leave it")
        assert judged(found, "/type=track", "/event=Opened")[0].name == "Opened"
        profile = judged(found, "/type=group", "/groupId=g", "/traits/name=Gee")[0]
        assert (MENDER.topic(profile), profile.name) == ("account.profiles", "Gee")


def test_edits_reach_into_objects_and_lists() -> None:
    fields = {"a": {"b": [1, {"c/d": 2}]}, "x": 1}

    assert edited(fields, ["/a/b/1/c~1d=3", "/n/m=text", "y=[1]"], ["x"]) == {
        "a": {"b": [1, {"c/d": 3}]},
        "n": {"m": "text"},
        "y": [1],
    }
    assert fields["x"] == 1


@pytest.mark.parametrize(
    ("sets", "unsets"),
    [(["novalue"], []), (["/a/9=1"], []), (["/a/x=1"], []), ([], ["gone"]), ([], ["/x/y"])],
)
def test_an_impossible_edit_is_told(sets: list[str], unsets: list[str]) -> None:
    with pytest.raises(EditError):
        edited({"a": [1], "x": 1}, sets, unsets)


def test_json_is_what_drafts_are_made_of() -> None:
    stripe = letter(
        json.dumps({"object": "event"}).encode(), "billing.events", producer="stripe", partition=-1, offset=-1
    )
    draft = MENDER.draft(stripe)
    assert draft == Draft("billing.events", "stripe", {"object": "event"})
    assert MENDER.draft(letter(b"[1]", producer="stripe", partition=-1, offset=-1)) is None


def test_the_options_take_the_reasons_and_statuses_there_are() -> None:
    assert tuple(deadletters_filter._Reason) == REASONS
    assert tuple(deadletters_filter._Status) == STATUSES

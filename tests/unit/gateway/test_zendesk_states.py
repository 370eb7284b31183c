"""What an account is known to be after Zendesk's webhooks: the state that the newest ticket says."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.times import DAY, HOUR, iso
from tests.support.gateway_client import NOW
from tests.support.vendor_accounts import Accounts, ticket_event

PAGE = (Path(__file__).parents[3] / "docs/sources/zendesk.md").read_text()
GOOD = {"satisfaction_score": {"score": "GOOD"}}
ANSWER = {"comment": {"author": {"is_staff": True}}}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    lines = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"][2:]


def open_tickets(accounts: Accounts, account: str = "A", at: int = NOW) -> str:
    return accounts.measure(account, "support.open", at).reason


def in_every_order(*events: dict[str, Any]) -> list[Accounts]:
    return [Accounts().send("zendesk", *order) for order in itertools.permutations(events)]


@pytest.mark.parametrize("row", rows("What a ticket is"), ids=lambda row: row[0])
@pytest.mark.parametrize("history", [None, "OPEN", "SOLVED"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("created", {}),
        ("comment_added", ANSWER),
        ("comment_added", ANSWER | {"comment": {"author": {"is_staff": True}, "is_public": False}}),
        ("csat_received", GOOD),
        ("csat_received", {"satisfaction_score": {"score": "OFFERED"}}),
        ("tags_changed", {"tags_added": ["x"]}),
    ],
)
def test_every_row_of_the_page(
    row: list[str], history: str | None, name: str, change: dict[str, Any]
) -> None:
    said, told = json.loads(row[0].strip("`")), row[1]
    accounts = Accounts()
    if history is not None:
        accounts.send("zendesk", ticket_event("e-0", "created", {"status": history}, at=NOW - HOUR))
    accounts.send("zendesk", ticket_event("e-1", name, said, change))
    assert open_tickets(accounts).removesuffix(", opened today") == told


def test_a_ticket_that_moves_is_open_at_one_account_only() -> None:
    moved = {"current": "B", "previous": "A"}
    for accounts in in_every_order(
        ticket_event("e-1", "created", {}, at=NOW - HOUR),
        ticket_event("e-2", "organization_changed", {"organization_id": "B"}, moved, at=NOW),
    ):
        assert open_tickets(accounts, "A") == "No open tickets"
        assert open_tickets(accounts, "B").startswith("1 open ticket")
        solved = ticket_event(
            "e-3", "status_changed", {"organization_id": "B", "status": "SOLVED"},
            {"current": "SOLVED", "previous": "OPEN"}, at=NOW + HOUR,
        )  # fmt: skip
        assert open_tickets(accounts.send("zendesk", solved), "B") == "No open tickets"


def test_a_ticket_that_moves_back_is_open_again() -> None:
    there, back = {"current": "B", "previous": "A"}, {"current": "A", "previous": "B"}
    for accounts in in_every_order(
        ticket_event("e-1", "created", {}, at=NOW - HOUR),
        ticket_event("e-2", "organization_changed", {"organization_id": "B"}, there),
        ticket_event("e-3", "organization_changed", {}, back, at=NOW + HOUR),
    ):
        assert open_tickets(accounts, "A").startswith("1 open ticket")
        assert open_tickets(accounts, "B") == "No open tickets"


def test_a_ticket_that_leaves_every_organization() -> None:
    accounts = Accounts().send(
        "zendesk",
        ticket_event("e-1", "created", {}, at=NOW - HOUR),
        ticket_event(
            "e-2", "organization_changed", {"organization_id": None}, {"current": None, "previous": "A"}
        ),
    )
    assert open_tickets(accounts) == "No open tickets"


def test_an_organization_that_is_set_later_gets_the_ticket_with_its_age() -> None:
    detail = {"organization_id": "B", "created_at": iso(NOW - 3 * DAY)}
    event = ticket_event("e-1", "organization_changed", detail, {"current": "B", "previous": None})
    accounts = Accounts().send("zendesk", event)
    assert open_tickets(accounts, "B") == "1 open ticket, 1 high or urgent, the oldest 3 days old"
    assert set(accounts.states) == {"B"}


def test_a_rating_of_a_ticket_solved_before_the_webhook_was_connected() -> None:
    accounts = Accounts().send("zendesk", ticket_event("e-1", "csat_received", {"status": "CLOSED"}, GOOD))
    assert open_tickets(accounts) == "No open tickets"
    assert accounts.measure("A", "support.resolution").value is None  # its solution was not seen
    assert accounts.states["A"].tickets["901"].csat == 5


def test_answers_before_the_webhook_was_connected_are_not_known() -> None:
    solved = {"status": "SOLVED", "created_at": iso(NOW - 9 * DAY)}
    accounts = Accounts().send(
        "zendesk",
        ticket_event("e-1", "comment_added", {"created_at": iso(NOW - 9 * DAY)}, ANSWER, at=NOW - HOUR),
        ticket_event("e-2", "status_changed", solved, {"current": "SOLVED", "previous": "OPEN"}),
    )
    assert accounts.measure("A", "support.first_response").value is None
    assert accounts.measure("A", "support.first_contact").value is None
    assert accounts.measure("A", "support.resolution").value == 9 * 24


def test_a_ticket_that_is_created_solved_was_solved_at_once() -> None:
    accounts = Accounts().send("zendesk", ticket_event("e-1", "created", {"status": "SOLVED"}))
    assert accounts.measure("A", "support.resolution").value == 0


def test_a_priority_that_was_lowered() -> None:
    accounts = Accounts().send(
        "zendesk",
        ticket_event("e-1", "created", {"priority": None}, at=NOW - 3 * DAY),
        ticket_event(
            "e-2", "priority_changed", {"priority": "URGENT"}, {"current": "URGENT", "previous": None},
            at=NOW - 2 * DAY,
        ),
    )  # fmt: skip
    assert accounts.measure("A", "support.urgent").value == 72
    lowered = ticket_event(
        "e-3", "priority_changed", {"priority": "LOW"}, {"current": "LOW", "previous": "URGENT"}
    )
    assert accounts.send("zendesk", lowered).measure("A", "support.urgent").value == 0


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("position", [True, False])
def test_solved_and_opened_again_at_one_time(number: int, position: bool) -> None:
    def step(id_: str, place: int, current: str, previous: str) -> dict[str, Any]:
        meta = {"meta": {"sequence": {"id": "1", "position": place, "total": 2}}} if position else {}
        change = {"current": current, "previous": previous} | meta
        return ticket_event(id_, "status_changed", {"status": current}, change)

    created = ticket_event("e-0", "created", {}, at=NOW - HOUR)
    for accounts in in_every_order(
        created,
        step(f"A{number}", 1, "SOLVED", "OPEN"),
        step(f"B{number}", 2, "OPEN", "SOLVED"),
    ):
        assert open_tickets(accounts).startswith("1 open ticket")


@pytest.mark.parametrize("number", range(6))
def test_created_and_solved_at_one_time(number: int) -> None:
    for accounts in in_every_order(
        ticket_event(f"A{number}", "created", {"status": "NEW"}),
        ticket_event(
            f"B{number}", "status_changed", {"status": "SOLVED"}, {"current": "SOLVED", "previous": "NEW"}
        ),
    ):
        assert open_tickets(accounts) == "No open tickets"


def test_a_deleted_ticket_comes_back_when_it_is_restored() -> None:
    for accounts in in_every_order(
        ticket_event("e-1", "created", {}, at=NOW - HOUR),
        ticket_event("e-2", "soft_deleted", {"status": "DELETED"}, at=NOW - 1000),
    ):
        assert open_tickets(accounts) == "No open tickets"
        accounts.send("zendesk", ticket_event("e-3", "undeleted", {}))
        assert open_tickets(accounts).startswith("1 open ticket")


def organization(name: str, **detail: Any) -> dict[str, Any]:
    return {
        "id": "o-1",
        "type": f"zen:event-type:organization.{name}",
        "time": iso(NOW),
        "detail": {"id": "8447", "name": "Acme"} | detail,
        "event": {"current": "acme", "previous": ""},
    }


@pytest.mark.parametrize("name", ["created", "external_id_changed"])
def test_an_organization_belongs_to_the_account_of_its_external_id(name: str) -> None:
    accounts = Accounts().send("zendesk", organization(name, external_id="acme"))
    assert accounts.states["8447"].link.into == "acme"


@pytest.mark.parametrize("detail", [{}, {"external_id": None}, {"external_id": ""}, {"external_id": "8447"}])
def test_an_organization_without_an_external_id_is_taken(detail: dict[str, Any]) -> None:
    assert not Accounts().send("zendesk", organization("created", **detail)).states


UNREADABLE = [
    ("comment_added", {"comment": {"author": None, "is_public": True}}),
    ("comment_added", {"comment": {"author": {"name": "Kim"}}}),
    ("comment_added", {}),
    ("csat_received", {"satisfaction_score": "GOOD"}),
    ("status_changed", {"current": {"id": 7}}),
    ("priority_changed", {"previous": 5, "current": []}),
    ("tags_changed", {"meta": {"sequence": {"position": -1}}}),
    ("created", {"meta": 7}),
]


@pytest.mark.parametrize(("name", "event"), UNREADABLE)
def test_what_just_changed_may_be_of_any_shape(name: str, event: dict[str, Any]) -> None:
    """It is news only: the ticket says what is so."""
    accounts = Accounts().send(
        "zendesk",
        ticket_event("e-1", "created", {}, at=NOW - 1000),
        ticket_event("e-2", name, {"status": "SOLVED"}, event),
    )
    assert open_tickets(accounts) == "No open tickets"


def test_a_merged_ticket_counts_as_if_it_had_never_been() -> None:
    merged = ticket_event("e-2", "merged", {"status": "CLOSED", "tags": None}, {"target_ticket_id": "902"})
    accounts = Accounts().send("zendesk", ticket_event("e-1", "created", {}, at=NOW - 1000), merged)
    assert open_tickets(accounts) == "No open tickets"


def test_placeholders_that_were_left_blank_say_nothing() -> None:
    event = ticket_event("e-1", "created", {"priority": "", "created_at": "", "subject": None}) | {"time": ""}
    accounts = Accounts().send("zendesk", event)
    assert open_tickets(accounts) == "1 open ticket, opened today"

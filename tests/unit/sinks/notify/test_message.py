"""The words of a message: what it says, its bounds, and hostile text in it."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest

from schemas.records import AlertNotification
from schemas.times import DAY
from sinks.notify.html import card
from sinks.notify.links import Links
from sinks.notify.message import MOST_LINES, Message, compose
from sinks.notify.text import one_line
from tests.support.notifications import HOSTILE, LINKS, every_kind, hostile
from tests.support.output_records import AT, alert, notification

KINDS = every_kind()


def message(content: AlertNotification) -> Message:
    return compose(content, LINKS, AT)


def test_an_alert_says_what_since_when_why_what_it_is_worth_and_what_to_do() -> None:
    assert message(KINDS["opened"]).text().splitlines() == [
        "Amber Harbour Foods uses the product much less",
        "What: score 71 → 38 (\N{MINUS SIGN}33), at risk",
        "Since: 6 Jun 2025 (9 days)",
        "Why: Active users fell by 58 % against their own four weeks before",
        "The champion, Jo Park, has not been seen for 16 days",
        "2 tickets of high urgency are open, the oldest for 6 days",
        "Worth: ARR 48,000 EUR · renewal 1 Aug 2025 (in 46 days)",
        "Do: Call the champion this week, and bring a plan for the open tickets.",
        "https://bellbuoy.example.com/accounts/demo/amber-harbour-foods#alert-a1 (0f3a9c1e)",
    ]


@pytest.mark.parametrize(
    ("name", "title", "shown"),
    [
        ("Acme GmbH", "Cancellation scheduled", "Acme GmbH: Cancellation scheduled"),
        ("Acme GmbH", "Acme GmbH turned at risk", "Acme GmbH turned at risk"),
        (None, "A payment failed", "acme: A payment failed"),
        ("Acme GmbH", "", "Acme GmbH: an alert"),
    ],
)
def test_the_title_names_the_account(name: str | None, title: str, shown: str) -> None:
    assert message(notification("n1", alert(name=name), title=title)).title == shown


def test_an_end_says_why_and_after_how_long_and_asks_for_nothing() -> None:
    ended = message(KINDS["resolved"])

    assert "Ended: the account recovered, after 1 hour" in ended.text().splitlines()
    assert "Do:" not in ended.text()
    assert (ended.mood, ended.acts) == ("resolved", ())


def test_a_digest_lists_accounts_and_how_many_more_there_are() -> None:
    lines = message(KINDS["digest"]).lines

    assert lines[1].label == "Amber Harbour Foods"
    assert lines[1].text.startswith("turned at risk · score 71 → 38")
    assert lines[1].text.endswith("· ARR 90,000 EUR · renewal in 46 days")
    assert lines[1].url == "https://bellbuoy.example.com/accounts/demo/account-0#alert-d0"
    assert lines[-1].text == "and 12 more"


def test_what_a_digest_has_no_room_for_is_counted() -> None:
    many = notification("n1", *(alert(f"a{n}") for n in range(30)), more=5, notes=["a", "b"])

    assert message(many).lines[-1].text == "and 27 more"


def test_an_escalation_begins_with_why_it_comes() -> None:
    assert message(KINDS["escalation"]).lines[0] == ("Note", "Ines Marrow was told 4 hours ago.", None, False)


def test_what_is_not_known_is_left_out() -> None:
    bare = notification("n1", alert(reasons=[], action="", arr_minor=None, renewal_at=None))

    assert compose(bare, Links(), AT).text().splitlines() == [
        "Acme GmbH turned at risk",
        "What: score 40, at risk",
        "Since: 15 Jun 2025 (moments)",
        "Bellbuoy (n1)",
    ]


def test_who_has_it_is_said_and_acknowledging_is_not_offered_again() -> None:
    had = alert(acknowledged_by="Ann", assignee="Ben", snoozed_until=AT + 7 * DAY)
    said = message(notification("n1", had))

    assert "Who: acknowledged by Ann, assigned to Ben, snoozed until 22 Jun 2025" in said.text()
    assert [act.kind for act in said.acts] == ["snoozed", "dismissed"]


@pytest.mark.parametrize("at", [-(2**62), 2**62])
def test_a_time_outside_the_calendar_is_no_fault(at: int) -> None:
    told = alert(since=at, renewal_at=at, snoozed_until=at)

    assert "an unknown day" in message(notification("n1", told)).text()


@pytest.mark.parametrize("content", [*KINDS.values(), *map(hostile, HOSTILE)])
def test_a_message_has_at_most_twelve_lines_and_no_control_characters(content: AlertNotification) -> None:
    text = message(content).text()

    assert len(text.split("\n")) <= MOST_LINES
    assert all(len(line) < 500 for line in text.split("\n"))
    for character in text:
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u200e\u200f\u200b").intersection(text)
    text.encode()


def test_names_from_right_to_left_are_kept_apart_from_what_is_around_them() -> None:
    assert message(hostile(HOSTILE[5])).title.startswith("\u2068\u05e9")


def test_long_text_is_cut_and_stacked_marks_are_few() -> None:
    assert one_line("x" * 5_000, 80) == "x" * 79 + "…"
    assert len(one_line("e" + "\u0301" * 500)) < 10


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name == "href"}
        assert {name for name, _ in attrs} <= {
            "style",
            "role",
            "cellpadding",
            "cellspacing",
            "colspan",
            "dir",
            "href",
        }

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", HOSTILE)
def test_html_holds_hostile_names_as_text(name: str) -> None:
    parsed = _Tags()
    parsed.feed(card(message(hostile(name))))

    assert parsed.tags <= {"table", "tr", "td", "span", "a", "b", "br"}
    assert all(link.startswith(("https://bellbuoy.example.com/", "https://events.")) for link in parsed.links)
    assert one_line(name) in parsed.text.replace("\u2068", "").replace("\u2069", "")

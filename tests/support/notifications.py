"""Notifications of every kind as the owners' fold decides them, and hostile ones."""

from __future__ import annotations

from schemas.records import AlertNotification
from schemas.times import DAY, HOUR
from sinks.notify.links import Links
from tests.support.output_records import AT, alert, notification

LINKS = Links(
    console="https://bellbuoy.example.com", gateway="https://events.example.com", secret="a-secret-of-links-1"
)

_STORY = {
    "name": "Amber Harbour Foods",
    "account_id": "amber-harbour-foods",
    "owner": "Ines Marrow",
    "arr_minor": 4_800_000,
    "currency": "EUR",
    "renewal_at": AT + 47 * DAY,
    "title": "Amber Harbour Foods uses the product much less",
    "reasons": [
        "Active users fell by 58 % against their own four weeks before",
        "The champion, Jo Park, has not been seen for 16 days",
        "2 tickets of high urgency are open, the oldest for 6 days",
        "A fourth reason that nobody needs to see",
    ],
    "action": "Call the champion this week, and bring a plan for the open tickets.",
    "score_before": 71.0,
    "score": 38.4,
    "since": AT - 9 * DAY,
    "opened_at": AT - HOUR,
}


def every_kind() -> dict[str, AlertNotification]:
    """Return one notification of every kind."""
    opened = alert("a1", **_STORY)
    worse = alert(
        "a1", 2, "updated", **(_STORY | {"severity": "critical", "band": "critical", "score": 21.0})
    )
    taken = {"acknowledged_by": "Ines Marrow", "resolution": "recovered", "score": 66.0, "band": "watch"}
    ended = alert("a1", 3, "resolved", **(_STORY | taken))
    names = ["Amber Harbour Foods", "Birch & Sons", "Copper Lane GmbH", "Delta Nine", "Elm Street Labs"]
    listed = [
        alert(
            f"d{number}",
            **(
                _STORY
                | {
                    "name": name,
                    "account_id": f"account-{number}",
                    "title": f"{name} turned at risk",
                    "arr_minor": 9_000_000 - 1_500_000 * number,
                }
            ),
        )
        for number, name in enumerate(names)
    ]
    return {
        "opened": notification("0f3a9c1e77", opened, recipient="Ines Marrow"),
        "updated": notification(
            "1f3a9c1e77", worse, recipient="Ines Marrow", title="Amber Harbour Foods turned critical"
        ),
        "resolved": notification(
            "2f3a9c1e77", ended, recipient="Ines Marrow", title="Amber Harbour Foods is better"
        ),
        "digest": notification(
            "3f3a9c1e77",
            *listed,
            recipient="Ines Marrow",
            title="17 alerts of today, by ARR at risk",
            more=12,
            notes=["Above today's 5 single alerts; critical ones came at once."],
        ),
        "page": AlertNotification(
            notification_id="4f3a9c1e77",
            tenant="demo",
            recipient="sre",
            kind="page",
            severity="critical",
            lane="outage",
            title="311 accounts of demo dropped within 5 minutes: an incident of ours?",
            alerts=[],
            notes=[
                "No CSM is told until it is explained or ends.",
                "Most dropped in: usage.active_users (298), usage.depth (13).",
                "The source segment sent nothing for 6 minutes.",
            ],
            created_at=AT,
            partition=0,
            sequence=1,
        ),
        "escalation": notification(
            "5f3a9c1e77",
            opened,
            recipient="Head of CS",
            kind="escalation",
            title="Nobody has acknowledged: Amber Harbour Foods uses the product much less",
            notes=["Ines Marrow was told 4 hours ago."],
        ),
    }


HOSTILE = (
    "<!channel> <@U1> <script>alert(1)</script>",
    "*bold* _it_ ~no~ `code` > quote",
    "[click](https://evil.example) <https://evil.example|here> & \"quotes\" 'too'",
    "\u202egnp.exe\u2066 hidden\u200b\u2028 line",
    "one\r\nBcc: all@example.com\n\n.\r\ntwo\0\x1b[31m",
    "\u05e9\u05dc\u05d5\u05dd \u05d1\u05e2\u05f4\u05de",
    "Zo\u0308e \U0001f680" + "\u0301" * 50,
    "x" * 5_000,
    "",
    "={{7*7}} ${x} %s {0}",
)
"""Names of accounts as an enemy, or chance, would choose them."""


def hostile(name: str) -> AlertNotification:
    """Return a notification in which every text is this."""
    told = alert(
        "a1",
        name=name,
        title=name,
        reasons=[name] * 5,
        action=name,
        currency=name or None,
        arr_minor=1_000,
        acknowledged_by=name,
        assignee=name,
    )
    return notification("n1", told, recipient=name, title=name, notes=[name] * 9)

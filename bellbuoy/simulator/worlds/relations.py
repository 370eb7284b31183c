"""Relations with an account: its profile, tickets, surveys, contacts, champions and milestones."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, TypeVar

from bellbuoy.simulator.world.accounts import OWNERS
from bellbuoy.simulator.world.random_streams import number_stream, random_stream
from bellbuoy.simulator.worlds.causes import Signs
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.fates import Course
from bellbuoy.simulator.worlds.file import WorldFile
from bellbuoy.simulator.worlds.people import People
from schemas.records import AccountProfile, EngagementEvent, InputEvent, SupportEvent, SurveyResponse
from schemas.times import DAY, HOUR, MINUTE

__all__ = ["Relations"]

_E = TypeVar("_E", bound=InputEvent)

_SEVERITIES = ("low", "normal", "high", "urgent")
_SEVERITY_WEIGHTS = (30, 52, 14, 4)
_HOURS_TO_SOLVE = 16.0
_SURVEY_DAYS = 90
_MILESTONES = (("data_connected", 10), ("team_invited", 20), ("first_report", 35), ("go_live", 55))
"""The milestones of a newcomer, with the days after the beginning on which they are due."""

_ADOPTED_AFTER = 60
_WITH_COUNTRY = 0.7
"""Share of the accounts whose profile names a country."""


class Relations:
    """
    The dealings of an account's people with the team, beside usage and billing.

    An account that sends little has a profile and nothing else.
    """

    def __init__(
        self,
        file: WorldFile,
        customer: Customer,
        people: People,
        signs: Signs,
        course: Course | None,
        start: int,
        days: int,
        seed: int,
    ) -> None:
        self._file, self._customer, self._people, self._signs = file, customer, people, signs
        self._course, self._start, self._days, self._seed = course, start, days, seed

    def events(self) -> Iterator[InputEvent]:
        """Yield all events, in no order; some may lie after the account's end."""
        yield from self._profiles()
        if not self._customer.sends_little:
            yield from self._tickets()
            yield from self._surveys()
            yield from self._contacts()
            yield from self._champions()
            if self._customer.newcomer:
                yield from self._milestones()

    def _profiles(self) -> Iterator[AccountProfile]:
        customer, draw = self._customer, self._stream("profile")
        named, owner = draw.random() < _WITH_COUNTRY, draw.choice(OWNERS)
        yield self._event(
            AccountProfile,
            "p0",
            self._at(customer.starts),
            name=f"Customer {customer.index}",
            segment=customer.segment,
            stage="onboarding" if customer.newcomer else "adopted",
            owner=owner,
            arr_minor=12 * customer.mrr_minor,
            currency=customer.spec.currency,
            seats=customer.seats,
            domain=f"{customer.account_id}.example",
            country=customer.country if named else None,
            started_at=self._at(customer.starts - customer.age),
        )
        if customer.newcomer:
            adopted = self._at(customer.starts + _ADOPTED_AFTER + self._signs.late_milestones, 12)
            yield self._event(AccountProfile, "p1", adopted, stage="adopted")

    def _tickets(self) -> Iterator[SupportEvent]:
        customer, signs = self._customer, self._signs
        mean = customer.spec.tickets_a_month / 30
        draw = number_stream(self._seed, self._file.world, "tickets", customer.index)
        counts = draw.poisson(mean * signs.tickets * signs.visits)
        for row in counts.nonzero()[0].tolist():
            day = int(signs.days[row])
            for number in range(int(counts[row]) if day >= customer.starts else 0):
                yield from self._ticket(row, f"{day}-{number}")

    def _ticket(self, row: int, name: str) -> Iterator[SupportEvent]:
        signs, draw = self._signs, self._stream("ticket", name)
        slow = float(signs.slow[row])
        severity = draw.choices(_SEVERITIES, _SEVERITY_WEIGHTS)[0]
        at = self._office_hour(int(signs.days[row]), draw)
        steps: list[tuple[str, int, str, int | None]] = [("opened", at, severity, None)]
        at += 5 * MINUTE + int(draw.expovariate(1 / (3 * slow * HOUR)))
        steps.append(("answered", at, severity, None))
        if draw.random() < 0.5:
            at += 10 * MINUTE + int(draw.expovariate(1 / (3 * HOUR)))
            steps.append(("replied", at, severity, None))
            at += 10 * MINUTE + int(draw.expovariate(1 / (3 * slow * HOUR)))
            steps.append(("answered", at, severity, None))
        if draw.random() < 0.03 + signs.escalated[row]:
            severity = "high" if severity in ("low", "normal") else "urgent"
            steps.append(("escalated", at + 30 * MINUTE, severity, None))
        at += HOUR + int(draw.expovariate(1 / (_HOURS_TO_SOLVE * slow * HOUR)))
        steps.append(("solved", at, severity, None))
        if draw.random() < 0.06 + signs.reopened[row]:
            at += HOUR + int(draw.expovariate(1 / (20 * HOUR)))
            steps.append(("reopened", at, severity, None))
            at += HOUR + int(draw.expovariate(1 / (_HOURS_TO_SOLVE * slow * HOUR)))
            steps.append(("solved", at, severity, None))
        if draw.random() < 0.35:
            liked = round(draw.gauss(4.4 - float(signs.csat[row]), 0.9))
            at += 10 * MINUTE + int(draw.expovariate(1 / (5 * HOUR)))
            steps.append(("rated", at, severity, min(5, max(1, liked))))
        for number, (kind, when, known, csat) in enumerate(steps):
            ticket = f"{self._customer.account_id}-t{name}"
            yield self._event(
                SupportEvent,
                f"t{name}-{number}",
                when,
                ticket_id=ticket,
                kind=kind,
                severity=known,
                csat=csat,
            )

    def _surveys(self) -> Iterator[SurveyResponse]:
        customer, signs = self._customer, self._signs
        taste = self._stream("taste").gauss(8.2, 0.8)
        for day in range(customer.starts + 20 + customer.index % 40, self._days + 1, _SURVEY_DAYS):
            draw, row = self._stream("survey", day), day + 1
            for person in range(min(3, customer.people)):
                answers, score, wait = draw.random(), draw.gauss(taste, 1.4), draw.uniform(0.1, 7)
                asked = self._office_hour(day, draw)
                about = {
                    "survey_id": f"nps-{day}",
                    "user_id": self._people.ids[person],
                    "kind": "nps",
                }
                name = f"n{day}-{person}"
                yield self._event(SurveyResponse, f"{name}-0", asked, step="sent", **about)
                willing = 0.4 * min(1.0, float(signs.visits[row] * signs.by_person[row, person]))
                if answers < willing:
                    whole = min(10, max(0, round(score - float(signs.nps[row]))))
                    yield self._event(
                        SurveyResponse, f"{name}-1", asked + int(wait * DAY), score=whole, **about
                    )

    def _contacts(self) -> Iterator[EngagementEvent]:
        customer, signs = self._customer, self._signs
        draw = number_stream(self._seed, self._file.world, "contacts", customer.index)
        levels, rate = draw.random((len(signs.days), 2)), 1 / customer.spec.contact_days
        meets = levels[:, 0] < 0.6 * rate * signs.contact
        mails = levels[:, 1] < rate
        for row in (meets | mails).nonzero()[0].tolist():
            day = int(signs.days[row])
            if day < customer.starts:
                continue
            own = self._stream("contact", day)
            person = self._people.ids[own.randrange(min(3, customer.people))]
            at = self._office_hour(day, own)
            if meets[row]:
                kind = own.choice(("meeting", "meeting", "touch", "training_attended"))
                yield self._event(EngagementEvent, f"e{day}-0", at, kind=kind, user_id=person)
            if mails[row]:
                yield self._event(EngagementEvent, f"e{day}-1", at + HOUR, kind="email_sent", user_id=person)
                willing = float(signs.replies[row])
                wait = HOUR + int(own.expovariate(1 / (20 / max(0.2, willing) * HOUR)))
                if own.random() < 0.75 * willing:
                    yield self._event(
                        EngagementEvent,
                        f"e{day}-2",
                        at + HOUR + wait,
                        kind="email_received",
                        user_id=person,
                    )

    def _champions(self) -> Iterator[EngagementEvent]:
        customer, ids = self._customer, self._people.ids
        draw = self._stream("champions")
        if customer.people < 2:
            return
        named = self._at(customer.starts + draw.randint(0, 10), 12)
        yield self._event(EngagementEvent, "c0", named, kind="champion_named", user_id=ids[0])
        if customer.people > 5 and draw.random() < 0.5:
            yield self._event(EngagementEvent, "s0", named, kind="sponsor_named", user_id=ids[4])
        for number, (_, told, next_named) in enumerate(self._signs.champions):
            if told is not None:
                at = self._at(told, 13)
                yield self._event(
                    EngagementEvent, f"c{number}-left", at, kind="champion_left", user_id=ids[number]
                )
            if next_named is not None:
                at, user = self._at(next_named, 14), ids[number + 1]
                yield self._event(EngagementEvent, f"c{number + 1}", at, kind="champion_named", user_id=user)

    def _milestones(self) -> Iterator[EngagementEvent]:
        customer, draw = self._customer, self._stream("milestones")
        for number, (name, due) in enumerate(_MILESTONES):
            due_day = customer.starts + due
            yield self._event(
                EngagementEvent,
                f"m{number}-set",
                self._at(customer.starts, 9),
                kind="milestone_set",
                name=name,
                due_at=self._at(due_day),
            )
            done = max(customer.starts + 1, due_day + round(draw.gauss(-1, 5)))
            late = self._signs.late_milestones * (number + 1) // 2
            if self._course is not None and done >= self._course.onset:
                done += late
            yield self._event(
                EngagementEvent, f"m{number}", self._at(done, 15), kind="milestone_reached", name=name
            )

    def _office_hour(self, day: int, draw: Random) -> int:
        return self._at(day) + int((8 - self._customer.zone_hours + 9 * draw.random()) * HOUR)

    def _at(self, day: int, hour: int = 0) -> int:
        return self._start + day * DAY + hour * HOUR

    def _stream(self, *name: object) -> Random:
        return random_stream(self._seed, self._file.world, *name, self._customer.index)

    def _event(self, record: type[_E], step: str, at: int, /, **fields: Any) -> _E:
        sources: dict[type, str] = {
            SupportEvent: "zendesk",
            SurveyResponse: "survey",
            AccountProfile: "segment",
        }
        return record(
            event_id=f"{self._customer.account_id}-{step}",
            tenant=self._customer.tenant,
            account_id=self._customer.account_id,
            source=sources.get(record, "crm"),
            occurred_at=at,
            received_at=at,
            **fields,
        )

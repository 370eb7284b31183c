"""Words and numbers of the pages: ages, days, money, changes and drawings of trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from bellbuoy.render.formats import duration
from processors.measures.formats import money as amount
from schemas.money import places
from schemas.times import DAY, HOUR, MINUTE, iso
from sinks.serving import HistoryEntry

__all__ = ["FILTERS", "sparkline"]

_WIDTH, _HEIGHT = 96, 28


def age(since: int | None, now: int) -> str:
    """Return how long ago a time was, short: ``now``, ``4 min``, ``3 h``, ``12 d``."""
    if since is None:
        return ""
    passed = max(0, now - since)
    if passed < MINUTE:
        return "now"
    if passed < HOUR:
        return f"{passed // MINUTE} min"
    return f"{passed // HOUR} h" if passed < 2 * DAY else f"{passed // DAY} d"


def ahead(at: int | None, now: int) -> str:
    """Return in how long a time is: ``today``, ``in 12 d``, ``3 d ago``."""
    if at is None:
        return ""
    days = at // DAY - now // DAY
    if days == 0:
        return "today"
    return f"in {days} d" if days > 0 else f"{-days} d ago"


def renewal(at: int | None, now: int) -> str:
    """Return in words when a contract renews, or by its date did: ``renews in 12 d``, ``renewal 3 d ago``."""
    if at is None:
        return ""
    return f"{'renewal' if at // DAY < now // DAY else 'renews'} {ahead(at, now)}"


def day(at: int | None) -> str:
    """Return the UTC date of a time, like ``29 Nov 2026``."""
    if at is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(at / 1000, UTC):%-d %b %Y}"
    except (ValueError, OverflowError):
        return str(at)


def moment(at: int | None) -> str:
    """Return date and time in UTC, like ``29 Nov 2026, 10:15``."""
    if at is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(at / 1000, UTC):%-d %b %Y, %H:%M}"
    except (ValueError, OverflowError):
        return str(at)


def money(minor: float | None, currency: str | None) -> str:
    """Return an amount short: ``1.2m EUR``, ``84k EUR``, ``950 EUR``; nothing for an unknown one."""
    if minor is None:
        return ""
    major = minor / 10 ** places(currency or "")
    for size, unit in ((1_000_000, "m"), (10_000, "k")):
        if abs(major) >= size:
            short = major / (size if unit == "m" else 1_000)
            return f"{short:,.1f}".rstrip("0").rstrip(".") + f"{unit} {currency or ''}".rstrip()
    return amount(minor, currency)


def sums(minor: Mapping[str, int]) -> str:
    """Return amounts by currency, the largest first."""
    largest = sorted(minor.items(), key=lambda one: -one[1])
    return " + ".join(money(one, currency) for currency, one in largest) or "0"


def monthly(minor: Mapping[str, int]) -> dict[str, int]:
    """Return amounts of a year, by currency, as amounts of a month."""
    return {currency: round(amount / 12) for currency, amount in minor.items()}


def points(value: float | None) -> str:
    """Return points with one decimal unless it is whole."""
    return "" if value is None else f"{value:.1f}".removesuffix(".0")


def signed(value: float | None) -> str:
    """Return a change with its sign, a real minus and one decimal."""
    if value is None:
        return "new"
    return "0" if not value else f"{value:+.1f}".replace("-", "\u2212")


def words(name: str) -> str:
    """Return a name such as ``churn_risk`` in words: ``churn risk``."""
    return name.replace("_", " ")


def title(name: str) -> str:
    """Return a name in words with a capital letter."""
    text = words(name)
    return text[:1].upper() + text[1:]


def part(text: str) -> str:
    """Return a text for one part of an address's path, or for an element's id."""
    return quote(text, safe="")


def browser(agent: str) -> str:
    """Return a browser's name for itself in two words where it is a usual one: ``Firefox on Linux``."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {
        "Android": "Android", "iPhone": "iOS", "iPad": "iOS", "Windows": "Windows", "Mac OS": "macOS",
        "CrOS": "ChromeOS", "Linux": "Linux",
    }  # fmt: skip
    name = next((known for sign, known in names.items() if sign in agent), "")
    system = next((known for sign, known in systems.items() if sign in agent), "")
    return f"{name} on {system}" if name and system else agent[:80] or "a browser without a name"


def sparkline(trend: Sequence[HistoryEntry], now: int, days: int = 28) -> str:
    """Return the points of a line of steps through a trend's latest days, in a box of 96 by 28."""
    since = now - days * DAY
    shown = [entry for entry in trend if entry.as_of >= since]
    before = [entry for entry in trend if entry.as_of < since]
    if before:
        shown.insert(0, before[-1])
    if not shown:
        return ""

    def x(at: int) -> float:
        return round(max(0, at - since) / (days * DAY) * (_WIDTH - 4) + 2, 1)

    def y(score: float) -> float:
        return round((100 - score) / 100 * (_HEIGHT - 6) + 3, 1)

    line, last = [f"{x(shown[0].as_of)},{y(shown[0].score)}"], shown[0]
    for entry in shown[1:]:
        line += [f"{x(entry.as_of)},{y(last.score)}", f"{x(entry.as_of)},{y(entry.score)}"]
        last = entry
    line.append(f"{_WIDTH - 2:.1f},{y(last.score)}")
    return " ".join(line)


FILTERS = {
    "age": age,
    "ahead": ahead,
    "browser": browser,
    "day": day,
    "duration": duration,
    "iso": iso,
    "moment": moment,
    "money": money,
    "monthly": monthly,
    "part": part,
    "points": points,
    "renewal": renewal,
    "signed": signed,
    "sparkline": sparkline,
    "sums": sums,
    "title": title,
    "words": words,
}
"""The filters of the templates, by name."""

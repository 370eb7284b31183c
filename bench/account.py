"""
Cost of one scored account, step by step, in microseconds of one core.

In every round each account gets one more cell of usage, as under load. A step is timed over all accounts
of a round at once, in CPU time of the thread, so that other work on the machine hardly matters; the
median of the rounds is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, TypeVar

from bellbuoy.operations.model_files import load_rule_file
from bench.workload.accounts import NOW, SIZES, Size, cells, grow
from processors.fold.ask_rules import Grounds, ask_rules, measure
from processors.fold.evaluation_cache import Evaluation, LoadedAccount, evaluate
from processors.fold.fold import Fold
from processors.fold.models_in_force import Models
from processors.fold.outcome import Outcome
from processors.fold.shared import Shared
from processors.model import DEFAULT
from processors.observe import evict, observe_usage
from processors.rules import DEFAULT_RULES, RuleSet, Situation
from processors.scoring.score import Verdict, weigh
from processors.state.encoding import decode_state
from processors.state.position import Position
from processors.state.usage_parts import TODAY
from schemas.codec.record_codec import Codec, codec
from schemas.identity.keys import account_key
from schemas.records import JournalBatch
from sinks.redis.layout import encode_health

__all__ = ["costs"]

T = TypeVar("T")


class _Stopwatch:
    """Stopwatch that collects the seconds of each step, round by round."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def time(self, step: str, call: Callable[[], T]) -> T:
        began = time.thread_time()
        answer = call()
        self.seconds.setdefault(step, []).append(time.thread_time() - began)
        return answer


def costs(
    size: Size, count: int, rounds: int, *, keep: bool = True, rules: RuleSet = DEFAULT_RULES
) -> dict[str, float]:
    """
    Return the microseconds an account of each step, for accounts of one size judged by these alert rules.

    Without ``keep`` accounts are not kept as values between batches, so that each is decoded anew.
    """
    clock, states, position = _Stopwatch(), grow(size, count), Position(sequence=0)
    accounts = {key: LoadedAccount(decode_state(raw)) for key, raw in states.items()}
    take = accounts.get if keep else lambda _: None
    journal, health = codec("account.journal"), codec("account.health")
    shared = Shared(Models(DEFAULT, rules=rules))
    for number in range(1, rounds + 1):
        batch = JournalBatch(
            sequence=number, written_at=NOW + 1_000 * number, usage=cells(size, count, seed=number)
        )
        _steps(clock, states, batch, rules)
        fold = Fold(states, position, partition=0, shared=shared, take=take)
        outcome = _through(clock, fold, batch, journal, health)
        states |= {key: state for key, state in outcome.states.items() if state is not None}
        position = outcome.position
    return {step: median(seconds) / count * 1e6 for step, seconds in clock.seconds.items()}


def _through(
    clock: _Stopwatch, fold: Fold, batch: JournalBatch, journal: Codec[Any], health: Codec[Any]
) -> Outcome:
    packed = clock.time("journal: encode the cell", lambda: journal.encode(batch))
    clock.time("worker: decode the cell", lambda: journal.decode(packed))
    clock.time("worker: fold", lambda: fold.add(batch, 0, ()))
    outcome = clock.time("worker: encode the state", fold.outcome)
    written = clock.time("worker: encode the health", lambda: [health.encode(r) for _, r in outcome.health])
    read = clock.time("delivery: decode the health", lambda: [health.decode(raw) for raw in written])
    clock.time("delivery: encode for Redis", lambda: [encode_health(record) for record in read])
    return outcome


def _steps(clock: _Stopwatch, states: dict[bytes, bytes], batch: JournalBatch, rules: RuleSet) -> None:
    """Time the parts of the fold on states that are then discarded."""
    now, usage = batch.written_at, batch.usage
    raws = [states[account_key(cell.tenant, cell.account_id)] for cell in usage]
    decoded = clock.time("fold: decode the state (if not kept)", lambda: [decode_state(raw) for raw in raws])
    accounts = [LoadedAccount(state) for state in decoded]

    def evaluate_each(changed_usage: Sequence[int], *, usage_only: bool) -> list[Evaluation]:
        models = Models(DEFAULT)
        return [
            evaluate(account, now, models, usage_only=usage_only, changed_usage=TODAY | parts)
            for account, parts in zip(accounts, changed_usage, strict=True)
        ]

    unchanged = [0] * len(accounts)
    clock.time("fold: evaluate all measures", lambda: evaluate_each(unchanged, usage_only=False))
    changed = clock.time("fold: observe", lambda: list(map(observe_usage, decoded, usage)))
    evaluations = clock.time(
        "fold: evaluate what usage changed", lambda: evaluate_each(changed, usage_only=True)
    )
    clock.time("fold: weigh", lambda: [weigh(one.plan, one.values, one.view) for one in evaluations])
    _time_rules(clock, accounts, evaluations, changed, rules)
    clock.time("fold: evict (once a day)", lambda: _each(evict, decoded, [now] * len(decoded)))


def _time_rules(
    clock: _Stopwatch,
    accounts: list[LoadedAccount],
    evaluations: list[Evaluation],
    changed: Sequence[int],
    rules: RuleSet,
) -> None:
    """Time the alert rules: asked in full, and after more usage."""

    def ask(*, usage_only: bool) -> None:
        for account, one, parts in zip(accounts, evaluations, changed, strict=True):
            account.evaluation = one._replace(usage_only=usage_only)
            verdict = Verdict(one.plan, 9_000, 1.0, True, (), (), (), (), None)
            situation = Situation(one.view, partial(measure, one))
            grounds = Grounds(one, verdict, "healthy")
            ask_rules(
                account, rules, situation, grounds, TODAY | parts,
                switched=False, replaced=False, score_before=None,
            )  # fmt: skip

    for account in accounts:
        account.rules = None
    ask(usage_only=False)  # what opens opens
    clock.time("fold: ask all alert rules", lambda: ask(usage_only=False))
    clock.time("fold: alert rules after more usage", lambda: ask(usage_only=True))


def _each(call: Callable[..., None], *columns: Sequence[Any]) -> None:
    for row in zip(*columns, strict=True):
        call(*row)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="bench.account", description="Microseconds a scored account.")
    parser.add_argument("--accounts", type=int, default=300, help="accounts in a batch")
    parser.add_argument("--rounds", type=int, default=15, help="batches")
    parser.add_argument("--rules", default="default", help="file of the alert rules that are asked")
    chosen = parser.parse_args()
    rules = load_rule_file(chosen.rules)
    table = {size.name: costs(size, chosen.accounts, chosen.rounds, rules=rules) for size in SIZES}
    print(f"{'microseconds an account':38}" + "".join(f"{name:>10}" for name in table))
    for step in next(iter(table.values())):
        print(f"{step:38}" + "".join(f"{column[step]:>10.1f}" for column in table.values()))


if __name__ == "__main__":
    main()

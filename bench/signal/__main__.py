"""The command ``python -m bench.signal``: compare models on worlds, fit the default one, tell accounts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bellbuoy.operations.model_files import load_file, model_text
from bellbuoy.simulator.worlds.company import COMPANY, CompanyWorld
from bellbuoy.simulator.worlds.world import load_world
from bench.signal.fit import fit, prior_of
from bench.signal.observe import Observed, observe
from bench.signal.scoring import confusion, figures, line, score
from bench.signal.telling import told
from bench.signal.writing import written
from processors.model.file.format import ModelSpec

__all__ = ["main"]

_TUNED = ("company", "clear", "saas", "selfserve", "feeds", "levels")
_KEPT_OUT = "unseen"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench.signal", description=__doc__)
    parser.add_argument("what", choices=("compare", "fit", "tell"))
    parser.add_argument("--worlds", nargs="+", default=list(_TUNED), help="NAME, or NAME:SEED[,SEED]...")
    parser.add_argument("--seeds", nargs="+", type=int, default=[3], help="of worlds named without any")
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--models", nargs="+", default=["default"], help="compare: files, or `default`")
    parser.add_argument("--causes", action="store_true", help="compare: how often each cause is named")
    parser.add_argument("--prior", default="default", help="fit: the model whose numbers are the prior")
    parser.add_argument("--strength", type=float, default=0.002, help="fit: how firm the prior is")
    parser.add_argument("--share", type=float, default=4.0, help="fit: times the fit is added to the prior")
    parser.add_argument("--scale", type=float, default=0.38, help="fit: the sum is multiplied by")
    parser.add_argument("--output", type=Path, help="fit: write the model file there")
    parser.add_argument("--cache", type=Path, default=Path(".bellbuoy/signal"))
    chosen = parser.parse_args()
    if chosen.what == "fit" and any(name.startswith(_KEPT_OUT) for name in chosen.worlds):
        parser.error(f"{_KEPT_OUT} is kept out of all tuning")
    if chosen.what == "tell":
        world = load_world(chosen.worlds[0], chosen.seeds[0], chosen.accounts)
        print(*told(world, load_file("default")), sep="\n")
        return
    worlds = list(_observed(chosen.worlds, chosen.seeds, chosen.accounts, chosen.cache))
    if chosen.what == "compare":
        _compare(worlds, chosen.models, causes=chosen.causes)
        return
    prior = prior_of(load_file(chosen.prior))
    fitted = fit(worlds, prior, strength=chosen.strength)
    pieces = {
        name: chosen.scale * (before + chosen.share * fitted.pieces[name]) for name, before in prior.items()
    }
    text = written(model_text("default"), pieces)
    if chosen.output is None:
        print(text)
    else:
        chosen.output.write_text(text, encoding="utf-8")


def _observed(names: Sequence[str], seeds: Sequence[int], accounts: int, cache: Path) -> Iterator[Observed]:
    for text in names:
        name, _, own = text.partition(":")
        for seed in map(int, own.split(",")) if own else seeds:
            world = CompanyWorld(seed, accounts) if name == COMPANY else load_world(name, seed, accounts)
            yield observe(world, cache)


def _compare(worlds: Sequence[Observed], models: Sequence[str], *, causes: bool) -> None:
    """Print the figures of each model in each world, and the edges that would leave shares of the book."""
    for name in models:
        model = load_file(name)
        spec = ModelSpec.model_validate_json(model.text)
        edges = [band.below or 0.0 for band in spec.bands[:-1]]
        books = []
        found: dict[str, list[dict[str, float]]] = {}
        for observed in worlds:
            scores = score(model, observed)
            books.append(scores.score)
            measured = figures(observed, scores.score, edges)
            named = confusion(observed, scores)
            count = sum(one.named.count for one in named.values())
            right = sum(one.named.count * one.named.value for one in named.values())
            measured["named"] = right / count if count else float("nan")
            found.setdefault(observed.world, []).append(measured)
            print(line(f"{model.name} {spec.version}, {observed.world} {observed.seed}", measured))
            for cause, one in named.items() if causes else ():
                others = ", ".join(f"{what or 'nothing'} {share:.2f}" for what, share in one.instead)
                print(f"    {cause:15} named {one.named.value:.2f} of {one.named.count}; instead {others}")
        for world, seeds in found.items():
            mean = {what: _mean([one[what] for one in seeds]) for what in seeds[0]}
            print(line(f"{model.name} {spec.version}, {world}, mean", mean))
        book = np.concatenate(books)
        shares = (0.045, 0.095, 0.12, 0.25, 0.3)
        print("edges:", ", ".join(f"{share:.1%} below {np.quantile(book, share):.1f}" for share in shares))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


if __name__ == "__main__":
    main()

"""The glossary names things that exist, and classes and modules use the words of the field."""

from __future__ import annotations

import re
from collections import defaultdict
from importlib import import_module
from pathlib import PurePath
from typing import Any

import pytest

from tests.support.product_source import ROOT, classes, modules, words

PAGE = (ROOT / "docs" / "glossary.md").read_text()
TERMS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)

PRIVATE_WORDS = {
    "again": "repairable",
    "apart": "forwarded",
    "asking": "retry",
    "beside": "shadow",
    "books": "ledger",
    "courier": "sink consumer",
    "door": "source, form or route",
    "farewell": "tombstone",
    "found": "result",
    "heard": "received",
    "held": "frozen or capped",
    "hindsight": "history",
    "lane": "partition loop",
    "letter": "dead letter",
    "look": "evaluate",
    "mend": "repair",
    "moment": "time",
    "parcel": "request records",
    "park": "send to the dead-letter topic",
    "recall": "cache",
    "said": "override value",
    "standing": "resume point, peer rank or band state",
    "told": "reported",
    "turn": "credit",
    "turnstile": "concurrency limit",
    "vitals": "health",
}
"""Words that once named parts of this code and said nothing to a reader, each with the field's word."""

FORMS = {form: word for word in PRIVATE_WORDS for form in (word, f"{word}s", f"{word}ed", f"{word}ing")}

TWICE: dict[str, str] = {
    "Batch": "a request of several Segment calls, and the records of one write to a sink",
    "Delivery": "an event that the simulator hands over, and a notification on its way to a person",
    "Fault": "what is wrong with an event at the gateway, and with a model file",
    "Invoice": "Stripe's object on the wire, and an account's invoice in its state",
    "Receipt": "what the simulator is answered, and what a notification channel is answered",
    "Subscription": "Stripe's object on the wire, and an account's subscription in its state",
    "Ticket": "Zendesk's object on the wire, and an account's ticket in its state",
    "_Server": "the client of a schema registry, and the HTTP server of the health endpoints",
}
"""Class names that stand in two modules, each with the reason."""


def test_there_are_few_terms_each_once_and_in_order() -> None:
    names = [name for name, _, _ in TERMS]
    assert 20 <= len(names) <= 46
    assert names == sorted(set(names), key=str.lower)


@pytest.mark.parametrize(("name", "meaning", "code"), TERMS, ids=[name for name, _, _ in TERMS])
def test_a_term_is_one_sentence_and_names_code_that_exists(name: str, meaning: str, code: str) -> None:
    assert re.fullmatch(r"[A-Z0-9][^.]*(\.[0-9a-z][^.]*)*\.", meaning), f"{name}: one sentence"
    references = re.findall(r"`([\w.]+)`", code)
    assert references, f"{name}: name the class or module"
    for reference in references:
        _resolve(reference)


def test_no_class_or_module_is_named_with_a_private_word() -> None:
    named = {f"{path}: class {node.name}": node.name for path, node in classes()}
    named |= {path: " ".join(PurePath(path).with_suffix("").parts) for path in modules()}
    faults = [
        f"{where}: {word!r}; say {PRIVATE_WORDS[FORMS[word]]}"
        for where, name in named.items()
        for before, word in zip(["", *words(name)], words(name), strict=False)
        if word in FORMS and not (before == "dead" and FORMS[word] == "letter")
    ]
    assert faults == []


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path, node in classes():
        places[node.name].add(path)
    twice = {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in TWICE} == {}


def _resolve(reference: str) -> Any:
    """Return what ``package.module`` or ``package.module.name`` names; raise when there is no such thing."""
    try:
        return import_module(reference)
    except ModuleNotFoundError:
        module, _, name = reference.rpartition(".")
        return getattr(_resolve(module), name)

"""The page of what each source keeps of the fields that it is sent."""

from __future__ import annotations

from collections.abc import Iterator

from bellbuoy.docs.markdown import table
from gateway.field_policy import FieldRules
from gateway.pulls.registry import PULLS
from gateway.sources.registry import SOURCES, WEBHOOKS
from gateway.sources.source import Source

__all__ = ["page"]

_HEAD = """# What is kept of what sources send

Of each source's JSON the fields below are kept or hashed; **everything else is dropped** before anything is
written: records, dead letters, and webhooks kept on `raw.payloads` are made of what is left. So `bellbuoy
sources remap` can read again, rightly, whatever is kept, but no field that was dropped when it arrived: to
let a mapping of tomorrow read it, keep it today. A dead letter can be repaired without what was dropped,
because no mapping reads that.

Generated from the code by `python -m bellbuoy.docs`; a test holds it to the code, and another one sends
each published payload with a word of its own in every field, and finds none of those that are not kept.

## Change it

```toml
[privacy]
hash_key = "..."                              # 16 random characters or more

[privacy.tenants.acme.zendesk]
"/detail/subject" = "keep"                    # keep, hash or drop

[privacy.tenants.acme.segment]
"/userId" = "hash"
```

A field is a JSON pointer without the numbers of list items; it holds for all below it that has no pointer
of its own, and `/*` at its end for every other field of an object. What stands under *needed* can't be
dropped or hashed. A change holds for what arrives after a restart of the gateway and the poller.

**Hashed** is an e-mail address before its domain (`hashed-5f1c…@acme.example`), because the domain leads to
the account; another value wholly. The hash (BLAKE2b, 64 bits, of `privacy.hash_key` and the tenant) is the
same in all sources, so one person stays one person. The default key is published: with it, whoever has a
list of addresses can tell which is which. With a new key everybody is somebody else.

**An id that your product gives its people is kept**, also where it is an e-mail address: it joins what
different sources say of one person, and the states hold 32 bits of a hash of it, no more. Hash it in *all*
sources that bring it (here, and in what your own Kafka producers and imports send), or in none: otherwise a
champion named by the CRM is nobody who uses the product.

## What records hold of people

{people}

The topics' [retention](topics.md) ends all of it but `account_id` and profiles in states; `bellbuoy forget`
ends those, too ([erasure](../erasure.md)).
"""

_PEOPLE = (
    (
        "`user_id`",
        "`usage.events`, `survey.responses`, `engagement.events`, `account.profiles`",
        "the id that the product or the vendor gives a person; of CRMs and mailboxes an e-mail address",
    ),
    (
        "`account_id`",
        "every topic, as a key too",
        "the account; where it is not known yet, `~user:` and a person's id, or `~domain:` and a domain",
    ),
    (
        "`owner`, `author`, `assignee`",
        "`account.profiles`, `alert.actions`, overrides, links",
        "people of your own company",
    ),
    (
        "`subject`, `comment`, `note`, `reason`",
        "`support.events`, `survey.responses`, `alert.actions`, overrides, links",
        "free text; of vendors none unless it is kept by the settings. Nothing that is scored reads it",
    ),
    (
        "`name`, `domain`",
        "`account.profiles`",
        "of a company",
    ),
    (
        "`own`",
        "`account.profiles`",
        "facts that you name yourselves: name none of a person",
    ),
)


def page() -> str:
    """Return the text of docs/reference/fields.md."""
    people = table(("field", "on", "what it is"), _PEOPLE)
    return _HEAD.replace("{people}", people) + "".join(_section(source) for source in (*SOURCES, *PULLS))


def _section(source: Source) -> str:
    what = "of each event"
    if source in WEBHOOKS:
        what = "of each webhook and of each dead letter"
    elif source in PULLS:
        what = "of each item that is read"
    elif source.fields.kept != ("",):
        what = "of each dead letter; a record holds what [its fields](events.md) say"
    rows = table(("field", "what becomes of it"), _rows(source.fields))
    return f"\n## {source.name}\n\n{source.title}: {what}.\n\n{rows}\n"


def _rows(rules: FieldRules) -> Iterator[tuple[str, str]]:
    for words, pointers in (
        ("kept, needed", rules.needed),
        ("kept", rules.kept),
        ("hashed", rules.hashed),
    ):
        if pointers:
            yield _named(pointers), words
    for each in rules.where:
        values = "" if each.values is None else " is " + " or ".join(map(_code, sorted(each.values)))
        yield _named(each.needed), f"kept where `{each.field}`{values or ' is there'}"
    if "" not in rules.kept:
        others = f"everything else, among it {_named(rules.dropped)}" if rules.dropped else "everything else"
        yield others, "dropped"


def _code(text: str) -> str:
    return f"`{text}`"


def _named(pointers: tuple[str, ...]) -> str:
    return ", ".join(f"`{pointer}`" if pointer else "all others" for pointer in pointers)

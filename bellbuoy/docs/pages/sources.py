"""The pages of webhook sources and of those that are asked, from what each declares and its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bellbuoy.docs.markdown import table
from gateway.pulls.pull import PullSource
from gateway.pulls.registry import PULLS
from gateway.sources.registry import SOURCES, WEBHOOKS
from gateway.sources.samples import Sample, load_samples
from gateway.sources.source import Source, WebhookSource

__all__ = ["SOURCE_PAGES", "index"]

_EXAMPLES = {"url": '"https://acme.my.salesforce.com"', "own_domains": '["us.example"]'}

_INDEX = """# Sources

## Webhooks

Each source has an address, `https://YOUR-GATEWAY/webhooks/SOURCE/TENANT`, and a setting of the tenant
with the secrets that prove its requests, such as `stripe_secrets`. Several secrets are valid at once, so
that they can be [rotated](../ingest.md#all-webhooks). A signature is verified on the raw bytes of the body; a
time that is signed may be 5 minutes off, either way; without one a repetition is harmless, as its event has
the same id.

`bellbuoy send SOURCE` sends a signed sample from the terminal. [How to add a source](writing.md).

Others are [asked](#sources-that-are-asked) for what changed; for products that send usage see
[ingest](../ingest.md).

Generated from the code by `python -m bellbuoy.docs`; a test holds it to the code.
"""

_PAGE = """# {title}

{guide}
## Address and secret

Give {title} the address `https://YOUR-GATEWAY{path}/TENANT`, and put its secret into the tenant's settings:

```toml
[gateway.tenants.acme]
{key} = ["..."]
```

The proof is in the header `{header}`: {about}.

Try it with the demo (`make demo`, or `bellbuoy up`), whose tenant `demo` has the secret `{secret}`:

```sh
bellbuoy send {name} --account acme.example
```

## What arrives, and what it becomes

The rows are payloads that [were published]({published}); they lie in `gateway/sources/{name}/samples/`, and a
test sends each of them. [What is kept of them](../reference/fields.md#{name}) is there field by field.

{rows}

Generated from the code by `python -m bellbuoy.docs`; a test holds it to the code.
"""

_ASKED = """
## Sources that are asked

`bellbuoy poll` asks these for what changed, where a tenant's settings name them. How far each stream is read
is committed in one Kafka transaction with the events of each page, so that a poller that is killed passes
nothing over and writes nothing twice; a second poller takes over by itself. `bellbuoy sources list` shows
every stream with its last request and its cursor. A vendor's rate limits and `Retry-After` are kept; after an
error it is asked again, after 1 second at first and 5 minutes in the end. The first round reads events of the
last 89 days, and accounts and contacts of all time. Alerts that begin on its accounts stay muted until an
hour after it, as an [import's](../import.md#what-is-promised) do: what they tell began before.
"""

_PROOFS = """
## What is tested of each

The tests send or map every sample of every source in the registry, forge it, repeat it, and look at the
measure (`tests/unit/gateway/test_samples.py`, `test_pulls.py`); clients are those of the vendor, against
a gateway on a real socket. A source that lacks one of these fails them.
"""

_MISSING = """
## Not there

**Userpilot.** [Its documentation](https://docs.userpilot.com/article/257-webhooks) names the events (an
NPS score, feedback, a dismissal) and a secret token, but publishes neither the payload nor where the
token stands in the request, and no payload is made up here. Its answers can come by an automation
(Zapier, Workato, n8n) as [typed events](../ingest.md#everything-else-typed-events) on `survey.responses`, or
by [Standard Webhooks](standard.md).
"""

_ASKED_PAGE = """# {title}

{guide}
## Settings

```toml
[poll.tenants.acme.{name}]
{keys}
```

Start `bellbuoy poll`; `bellbuoy up` starts it where a tenant has a source, and Compose with `--profile poll`
and the settings in `BELLBUOY_POLL__TENANTS`. All keys are in the [settings](../reference/settings.md).

## What is read, and what it becomes

The rows are items as [published]({published}); they lie in `gateway/pulls/{name}/samples/`, and a
test maps each. [What is kept of them](../reference/fields.md#{name}) is there field by field.

{rows}

Generated from the code by `python -m bellbuoy.docs`; a test holds it to the code.
"""


def index() -> str:
    """Return the text of docs/sources/README.md."""
    rows = (
        (
            f"[{source.title}]({source.name}.md)",
            f"`{source.path}/TENANT`",
            f"`{source.secrets_key}`",
            f"`{source.signature_scheme().header}`",
            source.signature_scheme().about,
            ", ".join(f"`{topic}`" for topic in _topics(source)),
        )
        for source in WEBHOOKS
    )
    head = ("source", "address", "setting", "header of the proof", "proof", "becomes")
    asked = (
        (
            f"[{source.title}]({source.name}.md)",
            f"`poll.tenants.TENANT.{source.name}`",
            ", ".join(f"`{topic}`" for topic in sorted(set(source.topics.values()))),
        )
        for source in PULLS
    )
    webhooks = table(head, rows)
    proofs = table(("source", "arrives from", "forged", "repeated", "moves"), map(_proof, (*SOURCES, *PULLS)))
    return (
        f"{_INDEX}\n{webhooks}\n{_ASKED}\n{table(('source', 'settings', 'becomes'), asked)}\n"
        f"{_PROOFS}\n{proofs}\n{_MISSING}"
    )


def _proof(source: Source) -> tuple[str, str, str, str, str]:
    """Return what is tested of a source; raise ValueError where something isn't, such as that it moves."""
    samples = load_samples(source.name, "pulls" if source in PULLS else "sources")
    names = {
        f"`{moves['measure']}`" for each in samples.samples if (moves := each.moves) and "measure" in moves
    }
    names |= {
        f"the {moves['profile']}" for each in samples.samples if (moves := each.moves) and "profile" in moves
    }
    if not names:
        raise ValueError(f"{source.name}: no sample says what it moves: give one `moves`")
    arrives = f"[published payloads]({samples.published})"
    if samples.clients:
        arrives = f"{', '.join(samples.clients)}; [payload]({samples.published})"
    elif isinstance(source, PullSource):
        arrives = f"a server that answers [as published]({samples.published})"
    if source.name == "mailbox":
        arrives = "a real IMAP server (pymap)"
    forged = "401" if isinstance(source, WebhookSource) else "401 (a key that is none)"
    if isinstance(source, PullSource):
        forged = "asked by us, over TLS"
    return source.title, arrives, forged, "counts once", ", ".join(sorted(names))


def _page(source: WebhookSource) -> str:
    samples, scheme = load_samples(source.name), source.signature_scheme()
    return _PAGE.format(
        title=source.title,
        name=source.name,
        guide=samples.guide,
        path=source.path,
        key=source.secrets_key,
        header=scheme.header,
        about=scheme.about,
        secret=source.demo_secret,
        published=samples.published,
        rows=table(("sample", "what happened", "it becomes", "it moves"), _rows(samples.samples)),
    )


def _asked_page(source: PullSource) -> str:
    samples = load_samples(source.name, "pulls")
    required = [name for name, field in source.settings.model_fields.items() if field.is_required()]
    return _ASKED_PAGE.format(
        title=source.title,
        name=source.name,
        guide=samples.guide,
        keys="\n".join(f"{name} = {_EXAMPLES.get(name, chr(34) + '...' + chr(34))}" for name in required),
        published=samples.published,
        rows=table(("sample", "what happened", "it becomes", "it moves"), _rows(samples.samples)),
    )


def _rows(samples: tuple[Sample, ...]) -> Iterator[tuple[str, str, str, str]]:
    for sample in samples:
        becomes = "; ".join(
            f"`{record['topic']}`: "
            + ", ".join(f"{name} {value}" for name, value in record.items() if name != "topic")
            for record in sample.becomes
        )
        moves = sample.moves or {}
        moved = f"`{moves['measure']}`" if "measure" in moves else moves.get("profile", "")
        yield sample.name, sample.says, becomes or "nothing: accepted and counted", moved


def _topics(source: WebhookSource) -> list[str]:
    samples = load_samples(source.name).samples
    return sorted({record["topic"] for sample in samples for record in sample.becomes})


SOURCE_PAGES: dict[str, Callable[[], str]] = {
    **{
        f"docs/sources/{source.name}.md": partial(_page, source)
        for source in WEBHOOKS
        if load_samples(source.name).guide is not None
    },
    **{f"docs/sources/{source.name}.md": partial(_asked_page, source) for source in PULLS},
}
"""The function that returns the page of each source with a guide; the others have a page by hand."""

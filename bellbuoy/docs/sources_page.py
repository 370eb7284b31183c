"""The pages of the webhook sources, generated from what each source declares and from its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bellbuoy.docs.markdown import table
from gateway.sources.registry import WEBHOOKS
from gateway.sources.samples import Sample, load_samples
from gateway.sources.source import WebhookSource

__all__ = ["SOURCE_PAGES", "index"]

_INDEX = """# Webhook sources

Each source has an address, `https://YOUR-GATEWAY/webhooks/SOURCE/TENANT`, and a setting of the tenant
with the secrets that prove its requests, such as `stripe_secrets`. Several secrets are valid at once, so
that they can be [rotated](../ingest.md#all-webhooks). A signature is verified on the raw bytes of the body; a
time that is signed may be 5 minutes off, either way; without one a repetition is harmless, as its event has
the same id.

`bellbuoy send SOURCE` sends a signed sample from the terminal. [How to add a source](writing.md).

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
test sends each of them.

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
    return f"{_INDEX}\n{table(head, rows)}\n"


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
    f"docs/sources/{source.name}.md": partial(_page, source)
    for source in WEBHOOKS
    if load_samples(source.name).guide is not None
}
"""The function that returns the page of each source with a guide; the others have a page by hand."""

"""
Write-back to CRMs that refuse and that limit: `python -m examples.writeback_sessions`.

Salesforce refuses two of four accounts under status 200, and HubSpot answers 429 in the middle of 250. Both
are servers on this machine that answer as the vendors document (tests/support/crm_servers.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sinks.port import Output, Rejected, SinkError
from sinks.writeback.settings import WritebackSettings
from sinks.writeback.sink import WritebackSink
from tests.support.crm_servers import CrmServer, hubspot, replies, salesforce
from tests.support.http_receiver import take
from tests.support.output_records import health

__all__ = ["hubspot_limit", "salesforce_refusals"]

_MAPPINGS = Path(__file__).parents[1] / "docs" / "writeback"
_SHOWN = 4


def salesforce_refusals() -> str:
    """Return what happens where Salesforce refuses one account for good, and one while it is locked."""
    calls = 0

    def unlocked_at_the_third_call(body: Any) -> tuple[int, Any]:
        nonlocal calls
        calls += 1
        status, answers = salesforce(body)
        unlocked = [{"success": True, "errors": []} for _ in answers]
        return status, answers if calls < 3 else unlocked

    with CrmServer(unlocked_at_the_third_call) as crm:
        return "\n".join(
            _session(crm, "salesforce", [health(name) for name in ("a1", "never", "locked", "a2")])
        )


def hubspot_limit() -> str:
    """Return what happens where HubSpot limits the second of three calls."""
    with CrmServer(hubspot) as crm:
        limited = {"status": "error", "errorType": "RATE_LIMIT"}
        crm.script += [take, replies(429, limited, retry_after="7")]
        return "\n".join(_session(crm, "hubspot", [health(f"a{number}") for number in range(250)]))


def _session(crm: CrmServer, vendor: str, batch: list[Output]) -> Iterator[str]:
    """Yield the calls and what the sink makes of each answer; nothing is waited for."""
    settings = WritebackSettings(
        mapping=_MAPPINGS / f"{vendor}.yaml", url=crm.base, client_id="app", secret=SecretStr("t0ken")
    )
    with closing(WritebackSink(f"writeback_{vendor}", settings)) as sink:
        seen, taken = 0, False
        while not taken:
            try:
                sink.write(batch)
                taken, outcome = True, "taken"
            except Rejected as rejected:
                refused: Any = batch.pop(rejected.index)
                outcome = f"dead letter: {refused.account_id}: {_words(rejected, crm)}"
            except SinkError as error:
                after = "" if error.retry_after is None else f" after {error.retry_after:g} s"
                outcome = f"offered again{after}: {_words(error, crm)}"
            for request in crm.requests[seen:]:
                ids = _ids(request)
                more = " …" if len(ids) > _SHOWN else ""
                yield f"{len(ids):3} accounts sent: {', '.join(ids[:_SHOWN])}{more}"
            seen = len(crm.requests)
            yield f"    {outcome}"
        session = " (one of them for the session)" if crm.sessions else ""
        yield f"requests used {sink.used().requests}{session}"


def _words(error: Exception, crm: CrmServer) -> str:
    return str(error).replace(f"127.0.0.1:{crm.port}", "the CRM")


def _ids(request: dict[str, Sequence[dict[str, str]]]) -> list[str]:
    if "records" in request:
        return [each["Bellbuoy_Id__c"] for each in request["records"]]
    return [each["id"] for each in request["inputs"]]


def main() -> None:
    """Print both sessions."""
    print(f"Salesforce\n\n{salesforce_refusals()}\n\nHubSpot\n\n{hubspot_limit()}")


if __name__ == "__main__":
    main()

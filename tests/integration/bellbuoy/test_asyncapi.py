"""AsyncAPI's own parser takes the document of the topics, with the Avro schema of every record."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bellbuoy.docs.pages.asyncapi import page
from schemas.inputs import OFFERED_TOPICS
from tests.support.node_packages import NODE, node_packages

_SCRIPTS = Path(__file__).parent / "asyncapi"


def parsed(document: str) -> Any:
    """Return what the parser says: errors, topics and messages."""
    program = node_packages(_SCRIPTS) / "check.mjs"
    ended = subprocess.run([NODE, program], input=document, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_the_document_is_valid_and_has_every_topic_that_others_see() -> None:
    found = parsed(page())
    assert found["errors"] == []
    assert {*OFFERED_TOPICS, "account.health", "risk.alerts", "events.deadletter"} <= set(found["topics"])
    assert {"UsageEvent", "UsageEnvelope", "AccountHealth", "RiskAlert"} <= set(found["messages"])


def test_the_parser_tells_what_is_wrong() -> None:
    document = json.loads(page())
    document["components"]["messages"]["UsageEvent"]["payload"]["schema"]["fields"][0]["type"] = "nothing"
    del document["channels"]["usage.events"]["bindings"]["kafka"]["bindingVersion"]
    document["operations"]["receive.usage.events"]["action"] = "take"
    assert parsed(json.dumps(document))["errors"]

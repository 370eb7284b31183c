# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["apache-flink==2.3.0"]
# ///
"""
The job in Flink SQL through PyFlink: a GROUP BY over the topic, with upserts to another topic.

It uses mini-batches with local and global aggregation, state on the heap, and a checkpoint every second.
Python only submits the query: no row passes through it. The query runs twice, as the first run warms the JVM.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

_START_SECONDS = 120.0
_STARTING = {"CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING"}
_JVM = "-Xms1g -Xmx1g -XX:+UseParallelGC"
_USAGE = """
CREATE TABLE usage_events (
    tenant STRING NOT NULL, account_id STRING NOT NULL, occurred_at BIGINT NOT NULL, duration_ms BIGINT
) WITH (
    'connector' = 'kafka',
    'topic' = '{input}',
    'properties.bootstrap.servers' = '{bootstrap}',
    'properties.group.id' = '{group}',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = 'latest-offset',
    'value.format' = 'avro-confluent',
    'value.avro-confluent.url' = '{registry}'
)"""
_ACCOUNTS = """
CREATE TABLE `{output}` (
    account STRING, occurred_on BIGINT, events BIGINT, duration_ms BIGINT,
    PRIMARY KEY (account, occurred_on) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '{output}',
    'properties.bootstrap.servers' = '{bootstrap}',
    'properties.compression.type' = 'lz4',
    'key.format' = 'json',
    'value.format' = 'json'
)"""
_COUNT = """
INSERT INTO `{output}`
SELECT account, occurred_on, COUNT(*), SUM(duration_ms)
FROM (
    SELECT tenant || ':' || account_id AS account, occurred_at / 86400000 AS occurred_on, duration_ms
    FROM usage_events
)
GROUP BY account, occurred_on"""


def main(job: dict[str, Any]) -> None:
    """Run the query twice, each time until its last checkpoint; print the seconds of the second run."""
    _java(job)
    with closing(create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    tables = _environment(job, port)
    tables.execute_sql(_USAGE.format(registry=_registry(job["schema"]), **job))
    for output in (job["warm_output"], job["output"]):
        tables.execute_sql(_ACCOUNTS.format(output=output, bootstrap=job["bootstrap"]))
        running = tables.execute_sql(_COUNT.format(output=output))
        _await_tasks(port, str(running.get_job_client().get_job_id()))
        started = time.monotonic()
        running.wait()
        seconds = time.monotonic() - started
    print(f"took {seconds}", flush=True)


def _java(job: dict[str, Any]) -> None:
    """Set the environment variables by which PyFlink chooses and starts a JRE."""
    os.environ |= {
        "JAVA_HOME": job["java_home"],
        "JVM_ARGS": _JVM,
        # The only way to add to the JVM's own class path, where code stays compiled between queries.
        "HADOOP_CLASSPATH": job["classpath"],
        "FLINK_LOG_DIR": job["folder"],
    }


def _environment(job: dict[str, Any], port: int) -> TableEnvironment:
    settings = {
        "rest.port": str(port),
        "web.refresh-interval": "10 ms",  # otherwise the reported state of tasks is up to three seconds old
        "parallelism.default": str(job["slots"]),
        "pipeline.object-reuse": "true",
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "1 s",
        "execution.checkpointing.dir": (Path(job["folder"]) / "checkpoints").as_uri(),
        "table.exec.state.ttl": f"{job['days']} d",
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "1 s",
        "table.exec.mini-batch.size": "20000",
        "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    }
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, value)
    streaming = EnvironmentSettings.new_instance().in_streaming_mode()
    return TableEnvironment.create(streaming.with_configuration(configuration).build())


def _registry(schema: str) -> str:
    """Start a schema registry that answers every id with this schema; return its URL."""
    body = json.dumps({"schema": schema}).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def _await_tasks(port: int, job_id: str) -> None:
    """Return once every task of the job runs, or after a timeout: the job then fails with the reason."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/jobs/{job_id}", timeout=5) as answer:
                states = {vertex["status"] for vertex in json.load(answer)["vertices"]}
        except OSError:
            states = set()
        if states and not states & _STARTING:
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

"""The simulator against real Kafka, and a real gateway in front of it."""

import asyncio
import socket
import threading
import time
from collections import Counter

import msgspec
import pytest
import uvicorn

from bellbuoy.errors import ConfigError
from bellbuoy.operations.kafka.ledger import count_inputs, end_offsets
from bellbuoy.settings import Settings, load
from bellbuoy.simulator.run import simulation
from bellbuoy.simulator.run.clock import SimulationClock, latest_time
from bellbuoy.simulator.run.pace import step_limit
from bellbuoy.simulator.run.plan import parse_start
from bellbuoy.simulator.run.simulate import SimulationOptions, run_simulation
from bellbuoy.simulator.wire.carrier import CarrierError
from bellbuoy.simulator.wire.customer import CustomerKeys, GatewayCarrier
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.worlds.world import load_world
from gateway.app import build_app
from gateway.settings import GatewaySettings
from schemas.codec.errors import SchemaError, UnknownSchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.keys import account_key, partition_of
from schemas.times import DAY
from streams.kafka.cluster import Cluster
from tests.support.changelog import read_topic
from tests.support.gateway_client import events_in
from tests.support.role_processes import RoleProcesses

pytestmark = pytest.mark.services


def settings_for(bootstrap, topics, **more) -> Settings:
    kafka = {"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions}
    return load(kafka=kafka, **more)


def run(options, settings):
    said = []
    return asyncio.run(run_simulation(options, settings, said.append, lambda _: None)), said


def truth_of(path):
    return msgspec.json.decode(path.read_bytes().splitlines()[-1])


@pytest.fixture
def journal(bootstrap, topics, tmp_path):
    roles = RoleProcesses(bootstrap, topics, tmp_path, clock="simulated", future_minutes=1_440)
    roles.start("journal")
    yield
    roles.stop()


def test_direct_load_lands_exactly_as_the_truth_says(bootstrap, topics, tmp_path):
    disorder = Disorder(duplicate=0.05, bad=0.03, too_late=0.02, from_future=0.01)
    options = SimulationOptions(
        direct=True, events=20_000, accounts=50, truth=tmp_path / "truth.jsonl", disorder=disorder
    )
    before = end_offsets(bootstrap, topics)
    summary, _ = run(options, settings_for(bootstrap, topics))
    truth = truth_of(options.truth)
    reader = codec("usage.events")
    now = int(time.time() * 1000)
    found, accounts, seen = Counter(), Counter(), set()
    for record in read_topic(bootstrap, topics.name("usage.events"), topics.partitions):
        assert partition_of(record.key(), topics.partitions) == record.partition()
        try:
            event = reader.decode(record.value())
        except UnknownSchemaError:
            found["unknown_schema"] += 1
            continue
        except SchemaError:
            found["undecodable"] += 1
            continue
        if not event.account_id:
            found["invalid"] += 1
        elif event.event_id in seen:
            found["duplicate"] += 1
        elif event.occurred_at < now - 90 * DAY:
            found["too_late"] += 1
        elif event.occurred_at > now + DAY:
            found["from_future"] += 1
        else:
            accounts[event.account_id] += 1
        seen.add(event.event_id)

    assert accounts == truth["per_account"]
    assert found == {
        **{truth["bad_reasons"][kind]: count for kind, count in truth["bad"].items()},
        "duplicate": truth["duplicates"],
        "too_late": truth["too_late"],
        "from_future": truth["from_future"],
    }
    assert summary["delivered"] == truth["delivered"] == 20_000
    assert count_inputs(Cluster(bootstrap, topics, committed()), before).events_in == 20_000
    assert summary["repeated"] == 0


def test_a_company_delivered_straight_lands_on_every_topic_and_moves_the_clock(
    bootstrap, topics, tmp_path, journal, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        "bellbuoy.operations.kafka.cluster.registry", lambda said: asked.append(said) or committed()
    )
    settings = settings_for(bootstrap, topics, journal={"clock": "simulated", "future_minutes": 1_440})
    options = SimulationOptions(
        direct=True, accounts=30, days=20, speed=1e9, start="2026-03-01", truth=tmp_path / "t"
    )
    summary, said = run(options, settings)
    landed = {
        topic: len(read_topic(bootstrap, topics.name(topic), topics.partitions))
        for topic in summary["by_topic"]
    }
    ticks = [
        (message.partition(), codec("simulation.clock").decode(message.value()).now)
        for message in read_topic(bootstrap, topics.name("simulation.clock"), topics.partitions)
    ]

    assert landed == summary["by_topic"]
    assert said == []
    assert asked == [settings]  # by what carries the events, sets the clock, and follows the journal
    for partition in range(topics.partitions):
        told = [now for where, now in ticks if where == partition]
        assert told == sorted(told)
        assert (told[-1] - told[0]) == 20 * DAY
    assert summary["simulated_until"] == "2026-03-21T00:00:00.000Z"
    assert latest_time(Cluster(bootstrap, topics, committed())) == ticks[-1][1]

    summary, said = run(
        SimulationOptions(direct=True, accounts=30, days=25, speed=1e9, start="2026-03-01"), settings
    )

    assert "time never goes back" in said[0]
    assert summary["simulated_until"].startswith("2026-04-15")


def test_a_world_is_played_with_its_fates_as_the_truth(bootstrap, topics, tmp_path, journal):
    settings = settings_for(bootstrap, topics, journal={"clock": "simulated", "future_minutes": 1_440})
    options = SimulationOptions(
        direct=True, world="feeds", accounts=40, days=35, speed=1e9, start="2026-03-02", truth=tmp_path / "t"
    )
    summary, said = run(options, settings)
    landed = {
        topic: len(read_topic(bootstrap, topics.name(topic), topics.partitions))
        for topic in summary["by_topic"]
    }
    accounts = list(map(msgspec.json.decode, options.truth.read_bytes().splitlines()[:-1]))
    world = load_world("feeds", seed=7, accounts=40, days=35)

    assert landed == summary["by_topic"]
    assert said == []
    assert summary["complete"]
    assert [(line["account"], line["cause"]) for line in accounts] == [
        (fate.account_id, fate.cause) for fate in world.fates
    ]


def test_a_world_and_plain_load_at_once_are_refused(bootstrap, topics):
    with pytest.raises(ConfigError, match="leave one out"):
        run(SimulationOptions(world="saas", events=10), settings_for(bootstrap, topics))


def test_the_simulation_waits_for_a_journal_that_is_away(bootstrap, topics, monkeypatch):
    monkeypatch.setattr(simulation, "_PATIENCE_SECONDS", 1.0)
    settings = settings_for(bootstrap, topics, journal={"clock": "simulated"})
    with pytest.raises(CarrierError, match="the journal has not followed"):
        run(SimulationOptions(direct=True, accounts=5, days=2, speed=1e9, start="2026-03-01"), settings)

    latest = latest_time(Cluster(bootstrap, topics, committed()))
    assert latest < 2 * step_limit(60) + parse_start("2026-03-01T00:15")


def test_the_clock_refuses_to_go_back(bootstrap, topics):
    clock = SimulationClock(Cluster(bootstrap, topics, committed()))
    clock.tick(1_000)
    clock.tick(1_000)
    with pytest.raises(ValueError, match="can't go back"):
        clock.tick(999)

    assert latest_time(Cluster(bootstrap, topics, committed())) == 1_000


@pytest.fixture
def gateway(bootstrap, topics):
    app = build_app(GatewaySettings(), bootstrap, topics, committed())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_through_the_gateway_every_event_lands_or_is_a_dead_letter_as_planned(
    gateway, bootstrap, topics, tmp_path
):
    options = SimulationOptions(
        accounts=30,
        days=10,
        speed=1e9,
        gateway=gateway,
        truth=tmp_path / "truth.jsonl",
        disorder=Disorder(bad=0.05),
    )
    before = end_offsets(bootstrap, topics)
    summary, said = run(options, settings_for(bootstrap, topics))
    found = count_inputs(Cluster(bootstrap, topics, committed()), before)
    planned = Counter()
    for kind, count in summary["bad"].items():
        planned[summary["bad_reasons"][kind]] += count

    assert "journal.clock is wall" in said[0]
    assert found.dead_letters == planned
    assert found.events_in - found.linked == summary["delivered"]
    assert found.linked >= summary["by_topic"]["account.profiles"] > 0
    assert found.refused == sum(summary["bad"].values()) > 0
    for topic, count in summary["by_topic"].items():
        landed = [
            (event, message)
            for message in read_topic(bootstrap, topics.name(topic), topics.partitions)
            for event in events_in(topic, message.value())
        ]
        assert len(landed) == count - (found.refused if topic == "usage.events" else 0)
        for event, message in landed:
            assert event.tenant == "demo"
            assert event.received_at > 0
            key = account_key(event.tenant, event.account_id)
            assert partition_of(key, topics.partitions) == message.partition()


def test_a_wrong_key_and_an_absent_gateway_are_told_in_words(gateway, bootstrap, topics):
    settings = settings_for(bootstrap, topics)

    async def deliver(url, keys):
        carrier = GatewayCarrier(url, keys)
        try:
            await carrier.probe()
            from bellbuoy.simulator.world.company import SimulatedCompany
            from bellbuoy.simulator.world.delivery_reader import DeliveryReader

            await carrier.deliver(
                DeliveryReader(SimulatedCompany(1, 2, 20_000 * DAY).deliveries()).until(20_001 * DAY)
            )
        finally:
            await carrier.close()

    good = CustomerKeys.of(settings.gateway, "demo")
    bad = CustomerKeys("demo", "no-such-key", "no-such-key", good.secrets)
    with pytest.raises(CarrierError, match=r"HTTP 401 .*unknown key"):
        asyncio.run(deliver(gateway, bad))
    with pytest.raises(CarrierError, match=r"doesn't answer on http://127.0.0.1:9 .*bellbuoy up"):
        asyncio.run(deliver("http://127.0.0.1:9", good))

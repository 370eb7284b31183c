"""The registry of sinks: a section of the settings is a sink, and nothing else names one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bellbuoy.errors import ConfigError
from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.operations.checks import check_deployment
from bellbuoy.operations.delivery.rebuild import find_rebuildable
from bellbuoy.operations.delivery.reconcile import find_reconcilable
from bellbuoy.operations.delivery.sinks import find_sinks, migratable, serving_reader, sinks
from bellbuoy.settings import Settings
from sinks.memory import MemorySink
from sinks.port import Sink, SinkSettingsError
from sinks.serving import ReadError
from sinks.settings import SinkSettings
from streams.delivery.subscription import Subscription


class ToySettings(SinkSettings):
    """A sink whose client is not installed."""

    url: str = "toy://"

    def sink(self) -> Sink:
        import no_such_client

        return no_such_client.Toy(self)


class WithToy(Settings):
    """The settings with one more sink, which is used when it has a section."""

    toy: ToySettings | None = None


def test_a_sink_is_named_as_its_section_is() -> None:
    settings = Settings()

    for sink in sinks(settings):
        assert isinstance(getattr(settings, sink.name), SinkSettings)
        assert Subscription.of(sink, settings.kafka.topics()).topics


def test_a_section_that_is_absent_is_a_sink_that_is_not_used() -> None:
    assert [sink.name for sink in sinks(WithToy())] == ["redis"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLBUOY_TOY__URL", "toy://here")
    monkeypatch.setenv("BELLBUOY_KAFKA__BOOTSTRAP", "127.0.0.1:1")

    with pytest.raises(ConfigError, match="toy needs no_such_client: run `make sync`"):
        sinks(WithToy())
    assert [(one.area, one.code) for one in check_deployment(WithToy()) if one.area != "kafka"] == [
        ("sinks", CONFIGURATION)
    ]


def test_a_bad_url_is_the_settings_fault() -> None:
    settings = Settings(redis={"url": "http://ann:hunter2@example"}, kafka={"bootstrap": "127.0.0.1:1"})

    found = [one for one in check_deployment(settings) if one.area == "redis"]

    assert [(one.code, "hunter2" in one.message) for one in found] == [(CONFIGURATION, False)]
    assert "redis.url" in found[0].message
    assert "BELLBUOY_REDIS__URL" in found[0].message
    with pytest.raises(SinkSettingsError, match=r"redis\.url"), serving_reader(settings):
        pass


def test_a_reader_of_a_sink_that_is_away_says_so() -> None:
    away = Settings(redis={"url": "redis://ann:hunter2@127.0.0.1:1/0"})

    with serving_reader(away) as reader:
        for ask in (
            lambda: reader.account("demo", "acme"),
            lambda: list(reader.accounts("demo")),
            lambda: reader.riskiest("demo", 1),
            lambda: reader.updates("$", 1),
            lambda: reader.find("demo", "a"),
        ):
            with pytest.raises(ReadError, match=r"Redis doesn't answer on redis://127\.0\.0\.1:1/0") as error:
                ask()
            assert "hunter2" not in str(error.value)


def test_without_a_sink_that_can_be_read_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(SinkSettings):
        def sink(self) -> Sink:
            return MemorySink()

    class OnlySilent(Settings):
        redis: Silent = Silent()  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="can be read"), serving_reader(OnlySilent()):
        pass


@pytest.mark.parametrize("find", [find_sinks, find_reconcilable, find_rebuildable, migratable])
def test_a_sink_that_the_settings_leave_out_is_told_with_what_switches_it_on(
    find: Callable[[Settings, str], object],
) -> None:
    settings = Settings(kafka={"bootstrap": "127.0.0.1:1"})
    with pytest.raises(ConfigError) as missing:
        find(settings, "postgres")
    assert "set postgres.url, or BELLBUOY_POSTGRES__URL" in str(missing.value)
    with pytest.raises(ConfigError) as unknown:
        find(settings, "postgers")
    assert "BELLBUOY_" not in str(unknown.value)


@pytest.mark.parametrize(
    ("name", "key"), [("lake", "path"), ("clickhouse", "url"), ("kafka_target", "bootstrap")]
)
def test_what_switches_a_sink_on_is_what_its_section_cannot_be_without(name: str, key: str) -> None:
    with pytest.raises(ConfigError) as missing:
        find_sinks(Settings(), name)
    assert f"set {name}.{key}, or BELLBUOY_{name.upper()}__{key.upper()}" in str(missing.value)

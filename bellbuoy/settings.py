"""
Settings of a deployment, from ``bellbuoy.toml`` and ``BELLBUOY_*`` variables.

Nested keys take two underscores: ``BELLBUOY_KAFKA__BOOTSTRAP``. A variable wins over the file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bellbuoy.console_settings import ConsoleSettings
from bellbuoy.errors import ConfigError
from bellbuoy.kafka_settings import KafkaSettings
from gateway.privacy import PrivacySettings
from gateway.pulls.settings import PollSettings
from gateway.settings import GatewaySettings
from sinks.clickhouse.settings import ClickHouseSettings
from sinks.iceberg.settings import IcebergSettings
from sinks.installed import InstalledSinks
from sinks.kafka.settings import KafkaTargetSettings
from sinks.lake.settings import LakeSettings
from sinks.notify.settings import NotifySettings
from sinks.postgres.settings import PostgresSettings
from sinks.redis.settings import RedisSettings
from sinks.writeback.settings import WritebackSettings
from streams.settings import DeliverySettings, JournalSettings, WorkerSettings

__all__ = ["KafkaSettings", "Settings", "load"]


class Settings(BaseSettings):
    """All settings of a deployment, one field for each area."""

    # Validators are built once, of the whole, when the settings are read; not also for each class by itself,
    # which a default that is validated would need.
    model_config = SettingsConfigDict(
        env_prefix="BELLBUOY_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        defer_build=True,
        toml_file=None,
    )

    kafka: KafkaSettings = KafkaSettings.model_construct()
    gateway: GatewaySettings = GatewaySettings.model_construct()
    poll: PollSettings = PollSettings.model_construct()
    privacy: PrivacySettings = PrivacySettings.model_construct()
    journal: JournalSettings = JournalSettings.model_construct()
    worker: WorkerSettings = WorkerSettings.model_construct()
    delivery: DeliverySettings = DeliverySettings.model_construct()
    redis: RedisSettings = RedisSettings.model_construct()
    postgres: PostgresSettings | Literal[False] | None = None
    lake: LakeSettings | None = None
    iceberg: IcebergSettings | None = None
    clickhouse: ClickHouseSettings | None = None
    kafka_target: KafkaTargetSettings | None = None
    writeback: dict[str, WritebackSettings] = Field(
        default={}, description="Destinations of account attributes over HTTP, such as CRMs, by name."
    )
    sinks: InstalledSinks = Field(
        default={},
        description="Sinks that other packages bring, by name; each has the keys that its package says.",
    )
    notify: NotifySettings = NotifySettings.model_construct()
    console: ConsoleSettings = ConsoleSettings.model_construct()
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severity that is logged; `debug` adds tracebacks. "
        "Logs are JSON lines unless they go to a terminal.",
    )
    data: Path = Field(
        default=Path(".bellbuoy"),
        description="Directory in which `bellbuoy up` keeps the data of Kafka and Redis, and the worker "
        "Faust's own files.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not a source here
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, file."""
        return (init_settings, env_settings, _TomlFile(settings_cls))


class _TomlFile(TomlConfigSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, toml_file=_file())


def _file() -> Path | None:
    configured = os.environ.get("BELLBUOY_CONFIG")
    if configured:
        return Path(configured)
    return Path("bellbuoy.toml") if Path("bellbuoy.toml").exists() else None


def load(**overrides: Any) -> Settings:
    """Read the settings; raise ConfigError that lists every fault with its key."""
    file = _file()
    if file is not None and not file.is_file():
        raise ConfigError(f"BELLBUOY_CONFIG names {file}, which is not a file: correct the path or unset it")
    faults = _unknown_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults += [
            f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
            f"{_value_in_words(fault['loc'], fault.get('input'))}"
            for fault in error.errors()
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults += [f"{file}: not TOML: {error}"]
    except Exception as error:  # noqa: BLE001 - pydantic-settings wraps bad JSON in a variable in its own type
        faults += [str(error)]
    else:
        if not faults:
            return settings
    raise ConfigError("the settings can't be used:\n" + "\n".join(f"  - {fault}" for fault in faults))


def _value_in_words(loc: tuple[int | str, ...], value: object) -> str:
    """Return the faulty value for the message; an empty string where it may hold a secret."""
    secret = not {"tenants", "notify", "oidc", "tokens"}.isdisjoint(loc) or "password" in str(loc[-1:])
    return "" if secret or isinstance(value, dict | list | tuple) else f" (got {value!r:.80})"


def _unknown_variables() -> list[str]:
    """Return a fault for each variable that looks like a setting but is none: pydantic would ignore it."""
    areas = {name.upper() for name in Settings.model_fields} | {"CONFIG"}
    return [
        f"{name}: no such setting; the areas are {', '.join(sorted(areas))}"
        for name in sorted(os.environ)
        if name.startswith("BELLBUOY_")
        and not name.startswith("BELLBUOY_TEST_")
        and name.removeprefix("BELLBUOY_").split("__")[0] not in areas
    ]

"""
Registry of a deployment's sinks: every section of the settings that is a sink's, and every channel.

A sink is registered by its field in ``Settings`` or by its name in ``sinks``, a channel by its name in
``notify.channels``; everything that runs, checks, rebuilds or reads sinks asks here and names none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, get_args

from bellbuoy.errors import ALL_EXTRAS, ConfigError
from bellbuoy.operations.delivery.channels import channel_sinks
from bellbuoy.settings import Settings
from sinks.port import Migratable, Sink, SinkSettingsError
from sinks.serving import Reader
from sinks.settings import SinkSettings

__all__ = ["MigratableSink", "find_sinks", "migratable", "open_reader", "serving_reader", "sinks", "there"]


class MigratableSink(Sink, Migratable, Protocol):
    """A sink whose destination has a schema."""


def sinks(settings: Settings) -> list[Sink]:
    """
    Return every sink that delivery writes to, not yet open.

    Raises ConfigError for a missing extra, and for two sinks of one name, which would share a consumer group.
    """
    found = [*(_built(name, section) for name, section in _sections(settings)), *channel_sinks(settings)]
    try:
        found += [each.sink_named(f"writeback_{name}") for name, each in settings.writeback.items()]
    except SinkSettingsError as error:
        raise ConfigError(str(error)) from error
    names = [sink.name for sink in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two sinks are named {', '.join(twice)}: remove or rename one of their sections")
    return found


def find_sinks(settings: Settings, name: str | None) -> list[Sink]:
    """Return every sink, or the one of this name; raise ConfigError when there is none."""
    known = sinks(settings)
    found = [sink for sink in known if name in (None, sink.name)]
    if not found:
        raise ConfigError(f"no sink {name!r}; there is {there(settings, name, known)}")
    return found


def there(settings: Settings, name: str | None, found: Iterable[Sink]) -> str:
    """Return the names of the sinks found, and how the one that the settings leave out is switched on."""
    names = ", ".join(sink.name for sink in found) or "none"
    field = type(settings).model_fields.get(name or "")
    for section in get_args(field.annotation) if field is not None else ():
        if (
            isinstance(section, type)
            and issubclass(section, SinkSettings)
            and not getattr(settings, str(name))
        ):
            fields = section.model_fields.items()
            key = next(key for key, each in fields if key == "url" or each.is_required())
            variable = f"BELLBUOY_{name}__{key}".upper()
            own = " (`bellbuoy up` prints the one of its own)" if name == "postgres" else ""
            return f"{names}. The settings leave {name} out: set {name}.{key}, or {variable}{own}"
    return names


def migratable(settings: Settings, name: str | None = None) -> list[MigratableSink]:
    """Return the sinks whose destination has a schema, or the one of this name; raise ConfigError."""
    found: dict[str, Any] = {sink.name: sink for sink in sinks(settings) if isinstance(sink, Migratable)}
    if name is None and found:
        return list(found.values())
    if name not in found:
        known = f"there is {there(settings, name, found.values())}"
        raise ConfigError(
            f"no sink {'' if name is None else repr(name) + ' '}that has a schema; "
            + (known if found or name else "the settings use none (docs/sinks/postgres.md)")
        )
    return [found[name]]


def open_reader(settings: Settings) -> Reader:
    """
    Return a reader of the first sink that can be read.

    Raises SinkSettingsError, and ConfigError when no sink can be read.
    """
    reader = next((r for _, section in _sections(settings) if (r := section.reader()) is not None), None)
    if reader is None:
        raise ConfigError("no sink of the settings can be read, so there is nothing to show")
    return reader


@contextmanager
def serving_reader(settings: Settings) -> Iterator[Reader]:
    """Open a reader as ``open_reader`` does, closed afterwards."""
    reader = open_reader(settings)
    try:
        yield reader
    finally:
        reader.close()


def _sections(settings: Settings) -> Iterator[tuple[str, SinkSettings]]:
    """Yield the sinks' sections with their names; one that is ``None`` is a sink that is not used."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, SinkSettings):
            yield name, section
    yield from settings.sinks.items()


def _built(name: str, section: SinkSettings) -> Sink:
    try:
        sink = section.sink()
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the sink {name} needs {error.name}: {ALL_EXTRAS}, or remove its settings"
        ) from error
    if sink.name != name:
        raise ConfigError(f"the sink of the section {name} is named {sink.name!r}: name the section so")
    return sink

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from bellbuoy.operations.kafka.topics import create_topics, delete_topics
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.servers import Services, ask

# How long a draw takes says something of the machine, nothing of the code.
settings.register_profile("bellbuoy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bellbuoy")

# Into pytest's own log: printed, a line of what still runs would end up in another test's output.
structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
)

_services = pytest.StashKey[Services]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not a worker of xdist
        config.stash[_services] = Services()
        # No broker of a test lives long enough for what the second compiler costs to pay.
        os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.hookimpl(trylast=True)  # once the order is random
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, lest one process work at it alone in the end."""
    items.sort(key=lambda item: ("e2e" not in item.path.parts, item.get_closest_marker("slow") is None))


def pytest_unconfigure(config: pytest.Config) -> None:
    services = config.stash.get(_services, None)
    if services is not None:
        services.close()


@pytest.fixture(scope="session")
def services() -> dict[str, str]:
    return ask()


@pytest.fixture(scope="session")
def bootstrap(services: dict[str, str]) -> Connection:
    """How to connect to the run's one real broker."""
    return Connection(services["bootstrap"])


@pytest.fixture(scope="session")
def redis_url(services: dict[str, str]) -> str:
    """The run's one real Redis; keep apart by key prefix."""
    return services["redis_url"]


@pytest.fixture
def topics(bootstrap: Connection) -> Iterator[Topics]:
    """Fresh, created topics under a prefix of this test's own; dropped afterwards."""
    fresh = Topics(prefix=f"t{uuid.uuid4().hex[:8]}-", partitions=4)
    create_topics(bootstrap, fresh)
    yield fresh
    delete_topics(bootstrap, fresh)

"""
Trials of a changed model on the journal, one at a time, each in a thread, with how far it has come.

A trial publishes nothing. It is lost with the process, and is then begun again.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import dataclass, field

import structlog
from confluent_kafka import KafkaException

from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.operations.replay.run import Replay, replay_journal
from bellbuoy.settings import Settings
from processors.model import DEFAULT, Model

__all__ = ["ModelTrial", "ModelTrials"]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ModelTrial:
    """
    A model that is tried on a tenant's journal from ``since`` on (UTC milliseconds).

    ``batches`` of ``total`` are folded so far; then there is a ``replay``, or ``trouble`` that says why not.
    """

    tenant: str
    model: Model
    since: int
    person: str
    began: float = field(default_factory=time.monotonic)
    batches: int = 0
    total: int = 0
    replay: Replay | None = None
    trouble: str = ""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.replay is None and not self.trouble

    @property
    def seconds(self) -> float:
        """For how long it runs, or ran."""
        return time.monotonic() - self.began if self.replay is None else self.replay.seconds

    @property
    def percent(self) -> int:
        """How much of the journal is folded."""
        return min(99, 100 * self.batches // self.total) if self.total else 0


class ModelTrials:
    """The newest trial of each tenant."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._newest: dict[str, ModelTrial] = {}
        self._stopping = False

    def newest(self, tenant: str) -> ModelTrial | None:
        """Return the newest trial of a tenant."""
        return self._newest.get(tenant)

    def begin(self, tenant: str, model: Model, since: int, person: str) -> bool:
        """Begin a trial; return ``False`` while another one runs, whoever's it is."""
        with self._lock:
            if self._stopping or any(trial.running for trial in self._newest.values()):
                return False
            trial = self._newest[tenant] = ModelTrial(tenant, model, since, person)
        threading.Thread(target=self._run, args=(trial,), name="model-trial", daemon=True).start()
        return True

    def stop(self) -> None:
        """End what runs, at once: its processes, which are the only ones that a console starts."""
        with self._lock:
            self._stopping = True
        for process in multiprocessing.active_children():
            process.kill()

    def _run(self, trial: ModelTrial) -> None:
        kafka = self._settings.kafka

        def progress(batches: int) -> None:
            trial.batches = batches
            if self._stopping:  # one of its processes may have begun after the others were ended
                self.stop()

        try:
            require_topics(self._settings)
            positions = read_positions(kafka.connection(), kafka.topics()).values()
            trial.total = sum(position.sequence + 1 for position in positions)
            trial.replay = replay_journal(
                self._settings,
                DEFAULT,
                since=trial.since,
                until=None,
                other=trial.model,
                tenant=trial.tenant,
                progress=progress,
            )
        except OperatorError as error:
            trial.trouble = str(error)
        except KafkaException as error:
            trial.trouble = f"Kafka doesn't answer: {error.args[0].str()}"
        except Exception:
            if self._stopping:
                return
            log.exception("A trial of a model failed unexpectedly.")
            trial.trouble = "it failed unexpectedly; the console's log says why"

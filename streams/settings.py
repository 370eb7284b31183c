"""Settings of the journal, the worker and delivery."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from processors.intake.admission import FUTURE_MINUTES, HORIZON_DAYS, Admission
from schemas.times import DAY, MINUTE

__all__ = ["DeliverySettings", "JournalSettings", "WorkerSettings"]


class JournalSettings(BaseModel):
    """The journal stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    clock: Literal["wall", "simulated"] = Field(
        default="wall",
        description="Clock of the journal. `simulated`: batches carry the newest tick of `simulation.clock`.",
    )
    fetch_bytes: int = Field(
        default=64_000_000,
        ge=16_777_216,
        description="Most bytes of records that all partitions hold, as stored by the broker, and as much "
        "again fetched ahead. With a backlog the process then takes about 0.9 GB: lower it in a small "
        "container.",
    )
    rest_seconds: float = Field(
        default=0.05,
        ge=0,
        description="Shortest pause of a partition after a batch. "
        "A longer one makes fewer, larger batches: less work and more latency.",
    )
    most_rest_seconds: float = Field(
        default=5.0,
        ge=0,
        description="Longest pause of a partition after a batch, while the worker has not asked for the next "
        "one. With a backlog there is no pause.",
    )
    idle_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Time after which a partition without events gets an empty batch. The time grows to a "
        "tenth of that since the last event.",
    )
    most_idle_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Longest time without a batch, and so the longest delay of what time alone changes.",
    )
    dedupe_events: int = Field(
        default=100_000, gt=0, description="Events of each input partition whose ids the dedupe window keeps."
    )
    horizon_days: int = Field(
        default=HORIZON_DAYS,
        gt=0,
        le=HORIZON_DAYS,
        description="Events older than this become dead letters, `too_late`; the gateway refuses typed ones.",
    )
    future_minutes: int = Field(
        default=FUTURE_MINUTES,
        ge=0,
        description="Events further ahead of journal time than this become dead letters, `from_future`; the "
        "gateway refuses typed ones.",
    )
    clock_tolerance_minutes: int = Field(
        default=60,
        gt=0,
        description="While the host's clock is further than this from that of the broker, the journal writes "
        "nothing: journal time can't go back.",
    )
    session_seconds: float = Field(
        default=10.0, ge=6.0, description="Time after which a member that Kafka does not hear of is replaced."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of `/metrics`, `/livez` and `/readyz`."
    )
    metrics_port: int = Field(
        default=9101,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`. 0: any free one.",
    )

    def admission(self) -> Admission:
        """Return how far from the journal's time an event may lie."""
        return Admission(self.horizon_days * DAY, self.future_minutes * MINUTE)


class WorkerSettings(BaseModel):
    """The Faust worker that folds the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    session_seconds: float = Field(
        default=10.0, ge=6.0, description="Time after which a member that Kafka does not hear of is replaced."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of `/metrics`, `/livez` and `/readyz`."
    )
    metrics_port: int = Field(
        default=9102,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`. 0: any free one.",
    )


class DeliverySettings(BaseModel):
    """The delivery runner."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    batch_records: int = Field(default=2_000, gt=0, description="Most records of one write to a sink.")
    retry_seconds: float = Field(
        default=1.0, gt=0, description="Pause after the first failed write; it doubles up to 30 s."
    )
    session_seconds: float = Field(
        default=10.0, ge=6.0, description="Time after which a member that Kafka does not hear of is replaced."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of `/metrics`, `/livez` and `/readyz`."
    )
    metrics_port: int = Field(
        default=9103,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/livez` and `/readyz`. 0: any free one.",
    )

"""Settings of the journal, the worker and delivery."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DeliverySettings", "JournalSettings", "WorkerSettings"]


class JournalSettings(BaseModel):
    """The journal stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock: Literal["wall", "simulated"] = Field(
        default="wall", description="simulated: batches are stamped with the ticks on simulation.clock"
    )
    fetch_bytes: int = Field(
        default=64_000_000, ge=16_777_216, description="most bytes taken at once, as stored by the broker"
    )
    rest_seconds: float = Field(default=0.05, ge=0, description="a partition rests this long after a batch")
    most_rest_seconds: float = Field(
        default=5.0,
        ge=0,
        description="or until the worker wants its next batch, up to this long; a backlog knows no rest",
    )
    idle_seconds: float = Field(
        default=1.0, gt=0, description="an idle partition gets an empty batch this often"
    )
    dedupe_events: int = Field(
        default=100_000, gt=0, description="events of each input partition whose ids are remembered"
    )
    horizon_days: int = Field(
        default=90, gt=0, le=90, description="older events are dead-lettered as too_late"
    )
    future_minutes: int = Field(default=60, ge=0, description="events later than this are from_future")
    session_seconds: float = Field(default=10.0, ge=6.0, description="a silent member is replaced after this")
    metrics_host: str = Field(default="127.0.0.1", description="where /metrics, /livez and /readyz answer")
    metrics_port: int = Field(default=9101, ge=0, le=65535)


class WorkerSettings(BaseModel):
    """The Faust worker that folds the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    session_seconds: float = Field(default=10.0, ge=6.0, description="a silent member is replaced after this")
    metrics_host: str = Field(default="127.0.0.1", description="where /metrics, /livez and /readyz answer")
    metrics_port: int = Field(default=9102, ge=0, le=65535)


class DeliverySettings(BaseModel):
    """The delivery runner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_records: int = Field(default=2_000, gt=0, description="most records written to a sink at once")
    retry_seconds: float = Field(
        default=1.0, gt=0, description="first pause after a failed write; doubles to 30 s"
    )
    session_seconds: float = Field(default=10.0, ge=6.0)
    metrics_host: str = Field(default="127.0.0.1", description="where /metrics, /livez and /readyz answer")
    metrics_port: int = Field(default=9103, ge=0, le=65535)

"""The answer to PostHog's clients that ask for feature flags, of which Bellbuoy has none. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["FLAG_PATHS", "no_flags"]

FLAG_PATHS = ("/flags", "/decide")
"""Paths where clients ask for flags: today's, and that of clients from before 2025."""


def no_flags(request_id: str, evaluated_at: int) -> dict[str, Any]:
    """
    Return that there are no flags, in the formats of every version, evaluated at UTC milliseconds.

    Newer clients read ``flags``, older ones ``featureFlags``; browsers also take their settings from it: gzip
    is read, and nothing is recorded or asked beside the events.
    Source: https://posthog.com/docs/api/flags and
    https://github.com/PostHog/posthog/blob/master/rust/feature-flags/src/api/types.rs
    """
    return {
        "errorsWhileComputingFlags": False,
        "flags": {},
        "featureFlags": {},
        "featureFlagPayloads": {},
        "requestId": request_id,
        "evaluatedAt": evaluated_at,
        "supportedCompression": ["gzip", "gzip-js"],
        "config": {"enable_collect_everything": True},
        "toolbarParams": {},
        "isAuthenticated": False,
        "sessionRecording": False,
        "surveys": False,
        "heatmaps": False,
        "capturePerformance": False,
        "autocaptureExceptions": False,
        "siteApps": [],
    }

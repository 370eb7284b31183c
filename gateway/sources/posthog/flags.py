"""The answers to PostHog's clients that ask for feature flags, which there are none of, or settings. Pure."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["FLAG_PATHS", "browser_settings", "browser_settings_script", "no_flags"]

FLAG_PATHS = ("/flags", "/decide")
"""Paths where clients ask for flags: today's, and that of clients from before 2025."""


_SETTINGS: dict[str, Any] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "config": {"enable_collect_everything": True},
    "toolbarParams": {},
    "isAuthenticated": False,
    "sessionRecording": False,
    "heatmaps": False,
    "capturePerformance": False,
    "captureDeadClicks": False,
    "autocaptureExceptions": False,
    "siteApps": [],
}
"""
Settings of a browser: gzip is read, and nothing is recorded or asked beside the events.

Of surveys nothing is said: with any word on them, even that there are none, a browser loads their script.
"""


def no_flags(request_id: str, evaluated_at: int) -> dict[str, Any]:
    """
    Return that there are no flags, in the formats of every version, evaluated at UTC milliseconds.

    Newer clients read ``flags``, older ones ``featureFlags`` and in browsers the settings.
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
        **_SETTINGS,
    }


def browser_settings(key: str) -> bytes:
    """
    Return the settings of a browser with this key, as JSON; by them it needn't ask for flags at its start.

    Source: https://github.com/PostHog/posthog-js/blob/main/packages/browser/src/remote-config.ts
    """
    return orjson.dumps({"token": key, "hasFeatureFlags": False, **_SETTINGS})


def browser_settings_script(key: str) -> bytes:
    """Return the script that a page loads to set the same settings."""
    return (
        b"(function(){var all=window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};"
        b"all[%s]={config:%s,siteApps:[]}})();" % (orjson.dumps(key), browser_settings(key))
    )

"""The settings that Segment's browser and mobile SDKs ask for before they send their first event."""

from __future__ import annotations

from typing import Any

__all__ = ["sdk_settings"]

_OPEN_PLAN = {"__default": {"enabled": True, "integrations": {}}}


def sdk_settings(write_key: str, address: str) -> dict[str, Any]:
    """
    Return the settings of an SDK with this key: send everything to the URL ``address``, and load nothing.

    The document of Segment's CDN at ``/v1/projects/WRITE_KEY/settings``. Its only destination is Segment
    itself, whose host is replaced here; reports about the SDK's own behaviour are switched off.
    Source: https://github.com/segmentio/analytics-next/blob/master/packages/browser/src/browser/settings.ts
    """
    protocol, _, host = address.rstrip("/").partition("://")
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{host}/v1",
                "protocol": protocol,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": _OPEN_PLAN, "identify": _OPEN_PLAN, "group": _OPEN_PLAN},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": f"{host}/v1"},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }

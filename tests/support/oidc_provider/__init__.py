"""A real OpenID Connect provider as a process: oidc-provider, a certified implementation, from npm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bellbuoy.local.embedded.ports import free_port
from tests.support.node_packages import NODE, node_packages

SECRET = "a-secret-of-this-test-alone"


@contextmanager
def oidc_provider(console: str, folder: Path, accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Run a provider that knows the console at this address, and these accounts; yield its issuer."""
    packages = node_packages(Path(__file__).parent)
    port, known = free_port(), folder / "accounts.json"
    known.write_text(json.dumps(accounts))
    settings = {
        "port": port,
        "callback": f"{console}/oidc/callback",
        "signedOut": f"{console}/sign-in",
        "accounts": str(known),
        "secret": SECRET,
    }
    with (
        (folder / "provider.log").open("wb") as log,
        subprocess.Popen(
            [NODE, packages / "provider.mjs", json.dumps(settings)], stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said == b"ready\n", (folder / "provider.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()

"""
Writer of ``kafka.lock.json``: ``python -m bellbuoy.local.embedded.lock [KAFKA_VERSION]``.

It resolves Kafka and its log binding on Maven Central, fetches every jar and records its SHA-256.
Without a version the locked one is resolved again. Review the difference before committing it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jgo
import msgspec

from bellbuoy.local.embedded.jars import KAFKA, Jar, JarSet, digest, resolve

__all__ = ["main", "resolved", "write"]


def main() -> None:
    """Resolve Kafka's jars, fetch them and write the lock."""
    versions = resolved(f"org.apache.kafka:kafka_2.13:{sys.argv[1] if len(sys.argv) > 1 else KAFKA.version}")
    # Kafka logs through slf4j 1; its log4j comes without the binding.
    log4j = versions["org.apache.logging.log4j", "log4j-core"]
    versions["org.apache.logging.log4j", "log4j-slf4j-impl"] = log4j
    write(KAFKA, versions)


def resolved(endpoint: str) -> dict[tuple[str, str], str]:
    """Return versions by (group, artifact) of these artifacts (joined by ``+``) and their dependencies."""
    return {(a.groupId, a.artifactId): a.version for a in jgo.resolve(endpoint)}


def write(jars: JarSet, versions: dict[tuple[str, str], str]) -> None:
    """Fetch these versions, write the set's lock and print what changed."""
    locked = []
    with tempfile.TemporaryDirectory() as staging:
        for (group, artifact), pinned in sorted(versions.items()):
            path = resolve(group, artifact, pinned, Path(staging))
            locked.append(Jar(group, artifact, pinned, digest(path), path.stat().st_size))
    before = jars.locked() if jars.lock.exists() else []
    jars.lock.write_bytes(msgspec.json.format(msgspec.json.encode(locked), indent=1) + b"\n")
    changed = sorted({jar.file for jar in locked} ^ {jar.file for jar in before})
    size = sum(jar.size for jar in locked) / 1e6
    sys.stdout.write(
        f"{jars.lock.name}: {len(locked)} files, {size:.0f} MB; changed: {', '.join(changed) or 'none'}\n"
    )


if __name__ == "__main__":
    main()

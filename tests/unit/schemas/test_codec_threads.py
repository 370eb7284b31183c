"""Several threads of a process that has just started decode their first record at the same time."""

from __future__ import annotations

import subprocess
import sys

_FIRST_DECODE = """
import sys
from threading import Barrier, Thread
from schemas.codec.record_codec import codec
from schemas.records import JournalBatch

journal, together = codec("account.journal"), Barrier(8)
data = journal.encode(JournalBatch(sequence=0, written_at=0, offsets=[], usage=[]))
sys.setswitchinterval(1e-6)

def decode():
    together.wait()
    journal.decode(data)

threads = [Thread(target=decode) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_decode_their_first_record_at_once() -> None:
    # Where the module didn't prepare the types, two of three such processes died of a segmentation fault.
    for _ in range(6):
        done = subprocess.run([sys.executable, "-c", _FIRST_DECODE], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

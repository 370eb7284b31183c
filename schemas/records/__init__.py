"""
Typed records, one for each schema in ``schemas/avro``; their fields have the schema's names and units.

Records that are created in great numbers have ``gc=False``: Python's garbage collector does not track them,
because they hold no reference cycles.
"""

from schemas.records.dead_letters import DeadLetter as DeadLetter
from schemas.records.events import *
from schemas.records.journal import *
from schemas.records.outputs import *
from schemas.records.raw_payloads import RawPayload as RawPayload

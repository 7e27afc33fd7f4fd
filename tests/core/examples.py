"""Print what the random orders of the core are made of, as one digest.

`python -m tests.core.examples MODULE ...` imports these modules first.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys

from hypothesis import given, settings

import tests.conftest  # noqa: F401  # its profile
from tests.core.test_random_orders import modes, traces

EXAMPLES = 10


def digest() -> str:
    """Draw examples as the tests do, and say in short which they were."""
    seen = hashlib.sha256()

    @settings(max_examples=EXAMPLES, database=None)
    @given(trace=traces, mode=modes)
    def note(trace: object, mode: object) -> None:
        # An object without a repr of its own shows where it is in memory.
        seen.update(re.sub(r" at 0x[0-9a-f]+", "", repr((trace, mode))).encode())

    note()
    return seen.hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    print(digest())

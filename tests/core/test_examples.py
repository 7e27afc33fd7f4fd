"""In CI a property is tried with the same examples in every process."""

from __future__ import annotations

import os
import subprocess
import sys


def test_the_examples_depend_neither_on_hashes_nor_on_what_was_imported_before() -> None:
    alone = digest_in_a_process("1")
    among_others = digest_in_a_process("2", "realtime_actors.server", "tests.soak.driver")

    assert alone == among_others


def digest_in_a_process(hash_seed: str, *imported: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.examples", *imported],
        env=os.environ | {"CI": "true", "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()

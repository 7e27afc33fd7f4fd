"""Doing something in a child of fork, and hearing what came of it."""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from typing import Any

LIMIT_SECONDS = 20.0
"""How long a child may take. One that waits for a lock of its parent's takes for ever."""


def in_child(do: Callable[[], Any]) -> Any:
    """Fork, do something in the child, and give what it gave: plain data."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = {"value": do()}
        except BaseException:
            answer = {"raised": traceback.format_exc()}
        try:
            os.write(writer, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], LIMIT_SECONDS)
        said = os.read(reader, 1_000_000) if ready else b""
    finally:
        os.close(reader)
        if not said:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert said, "the child hangs"
    answer = json.loads(said)
    assert "raised" not in answer, answer["raised"]
    return answer["value"]

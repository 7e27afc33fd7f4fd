"""Whether a model's file is the one that was measured."""

from __future__ import annotations

import hashlib
from pathlib import Path

from realtime_actors.server.engines.interfaces import EngineError

__all__ = ["check_sha256"]


def check_sha256(path: Path, expected: str) -> None:
    """Raise `EngineError` unless the file has this sha256.

    The models come out of small packages with one author each, and native code parses
    them: what was exchanged on its way here must not be loaded.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise EngineError(
            f"{path} is not the model it should be: its sha256 is {found[:12]}…, "
            f"not {expected[:12]}…. Reinstall the package that it belongs to."
        )

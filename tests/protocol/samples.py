"""One event of every type, as GA says it; and what the beta interface says instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtime_actors.protocol import Dialect
from realtime_actors.protocol.backend import STANDARD, fastest

DATA = Path(__file__).parents[1] / "data" / "protocol"

SERVER_SAMPLES: list[dict[str, Any]] = json.loads((DATA / "server_events.json").read_text())
CLIENT_SAMPLES: list[dict[str, Any]] = json.loads((DATA / "client_events.json").read_text())
PAIRS: list[dict[str, Any]] = json.loads((DATA / "both_dialects.json").read_text())

GA = Dialect("ga", fastest())
BETA = Dialect("beta", fastest())
GA_STANDARD = Dialect("ga", STANDARD)
BETA_STANDARD = Dialect("beta", STANDARD)


def text(wire: object) -> bytes:
    return json.dumps(wire).encode()


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something is in JSON: keys and indexes to it."""
    found = [place] if place else []
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            found += places(inner, (*place, key))
    return found

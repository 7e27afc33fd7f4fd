"""Traces: a conversation written down as the core saw it, to be played again.

    session = ra.run(agent, trace="call.jsonl")

    realtime-actors replay call.jsonl

A trace holds what was said, by both sides. Treat it like a recording of the call.
"""

from __future__ import annotations

from realtime_actors.core.trace import TracedMachine, describe, replay

__all__ = ["TracedMachine", "describe", "replay"]

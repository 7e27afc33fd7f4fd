"""Traces: a conversation written down as the core saw it, to be played again.

    session = ra.run(agent, trace="call.jsonl")

    realtime-actors replay call.jsonl

A trace holds what was said, by both sides. Treat it like a recording of the call: its file
is for its owner alone (mode 600). When the session's supervisor starts it again, the same file
goes on with its next life. Writing it never disturbs the session: what can't be written is
one line in the log, and the end of the trace.
"""

from __future__ import annotations

from realtime_actors.core.trace import TracedMachine, as_text, describe, replay

__all__ = ["TracedMachine", "as_text", "describe", "replay"]

"""What is to be reached: each target with its limit, and how a value is held against it."""

from __future__ import annotations

from typing import Final, Literal

from attrs import field, frozen

__all__ = ["TARGETS", "Target"]


@frozen
class Target:
    """A figure, and where it is to be."""

    benchmark: str
    what: str
    bound: Literal["at least", "at most"]
    limit: float
    unit: str = field(default="x", kw_only=True)

    def is_met(self, value: float) -> bool:
        return value >= self.limit if self.bound == "at least" else value <= self.limit

    def wanted(self) -> str:
        sign = "≥" if self.bound == "at least" else "≤"
        return f"{sign} {self.show(self.limit)}"

    def show(self, value: float) -> str:
        return f"{value:.3g}{'x' if self.unit == 'x' else ' ' + self.unit}"

    def distance(self, value: float) -> str:
        """Whether it is met; if not, by how much it is missed."""
        if self.is_met(value):
            return "met"
        if not (self.limit and value):
            return f"missed by {abs(value - self.limit):.3g}"
        off = self.limit / value if self.bound == "at least" else value / self.limit
        return f"missed by {(off - 1) * 100:.0f} %" if off < 2 else f"missed {off:.1f}-fold"


TARGETS: Final[dict[str, Target]] = {
    "flood_960_agents": Target(
        "recv_flood", "flood of 960-byte deltas: agents' CPU per event / ours", "at least", 4.0
    ),
    "flood_4800_agents": Target(
        "recv_flood", "flood of 4,800-byte deltas: agents' CPU per event / ours", "at least", 3.0
    ),
    "flood_960_no_extras": Target(
        "recv_flood", "the same, 960 bytes, without the fast extras", "at least", 3.0
    ),
    "flood_4800_no_extras": Target(
        "recv_flood", "the same, 4,800 bytes, without the fast extras", "at least", 2.0
    ),
    "flood_960_floor": Target(
        "recv_flood", "flood of 960-byte deltas: our CPU per event / the floor's", "at most", 2.4
    ),
    "flood_4800_floor": Target(
        "recv_flood", "flood of 4,800-byte deltas: our CPU per event / the floor's", "at most", 2.4
    ),
    "paced_p50": Target(
        "recv_paced", "one session, 50 a second: our p50 / agents'", "at most", 0.8
    ),
    "paced_p50_direct": Target("recv_paced", "the same without a queue", "at most", 0.55),
    "paced_p99": Target(
        "recv_paced", "one session, 50 a second: our p99 / agents'", "at most", 0.8
    ),
    "paced_p99_direct": Target("recv_paced", "the same without a queue", "at most", 0.6),
    "scale_cpu_50": Target("scale", "50 sessions: our CPU / agents'", "at most", 0.65),
    "scale_cpu_50_direct": Target("scale", "the same without a queue", "at most", 0.5),
    "scale_tls_cpu_50": Target(
        "scale_tls", "50 sessions over TLS: our CPU / agents'", "at most", 0.7
    ),
    "scale_tls_cpu_50_direct": Target("scale_tls", "the same without a queue", "at most", 0.5),
    "scale_cpu_200": Target("scale", "200 sessions: our CPU / agents'", "at most", 0.65),
    "scale_in_200": Target(
        "scale", "200 sessions: our p99 of what comes in / agents'", "at most", 0.5
    ),
    "scale_out_200": Target(
        "scale", "200 sessions: how late our sends leave, p99 / agents'", "at most", 0.3
    ),
    "scale_knee": Target(
        "scale", "sessions at p99 < 50 ms with sends on time: ours / agents'", "at least", 1.5
    ),
    "scale_knee_direct": Target("scale", "the same without a queue", "at least", 2.0),
    "noise_p50": Target(
        "gil_noise",
        "beside a thread that computes, 5 ms interval: our p50 / agents'",
        "at most",
        2.0,
    ),
    "noise_p50_direct": Target("gil_noise", "the same without a queue", "at most", 1.1),
    "send_c_mask": Target(
        "send", "send_audio calls a second: ours / agents', C mask", "at least", 4.0
    ),
    "send_no_extras": Target(
        "send", "send_audio calls a second: ours / agents', no extras", "at least", 2.5
    ),
    "memory_session": Target("memory", "memory of an idle session: ours / agents'", "at most", 0.8),
    "memory_session_tls": Target("memory", "the same over TLS", "at most", 0.25),
    "memory_process": Target(
        "memory", "memory of a process with 50 sessions: ours / agents'", "at most", 0.4
    ),
    "long_call_cpu_ms": Target(
        "long_call", "a turn at 10,000 items: CPU / at 100 items", "at most", 1.2
    ),
    "long_call_unread_cpu_ms": Target("long_call", "the same with events unread", "at most", 1.2),
    "long_call_bytes_per_event": Target(
        "long_call", "an event that waits, at 10,000 items: memory / at 100 items", "at most", 1.2
    ),
    "barge_in_p99": Target(
        "barge_in",
        "50 sessions: p99 from speech started to AudioInterruptedEvent in a subscriber",
        "at most",
        5,
        unit="ms",
    ),
    "import_ms": Target("import_time", "import realtime_actors", "at most", 150, unit="ms"),
    "import_optional": Target(
        "import_time", "optional packages that it imports", "at most", 0, unit="packages"
    ),
}

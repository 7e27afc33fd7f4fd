"""A network that goes wrong on purpose: a TCP proxy between a session and its server.

    schedule = [Fault(toxic=ResetPeer(), after_messages=40)]
    with RealtimeServer.scripted() as server, FaultProxy(server.port, schedule) as proxy:
        with ra.run(agent, model_config={"url": proxy.url(server.url)}) as session:
            ...

What goes wrong is a *toxic*, in the words of toxiproxy: `Latency`, `Bandwidth`, `Slicer`,
`ResetPeer`, ... When it does is counted in messages and bytes, so that a run can be had again.
For tests, on this machine: it has one thread, and listens on the loopback interface only.
"""

from __future__ import annotations

from realtime_actors.fault_proxy.proxy import FaultProxy, Fired
from realtime_actors.fault_proxy.toxics import (
    Bandwidth,
    BlackHole,
    Corrupt,
    Direction,
    Down,
    Fault,
    HalfClose,
    Lasting,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Stall,
    Timeout,
    Toxic,
)

__all__ = [
    "Bandwidth",
    "BlackHole",
    "Corrupt",
    "Direction",
    "Down",
    "Fault",
    "FaultProxy",
    "Fired",
    "HalfClose",
    "Lasting",
    "Latency",
    "LimitData",
    "ResetPeer",
    "Slicer",
    "SlowClose",
    "Stall",
    "Timeout",
    "Toxic",
]

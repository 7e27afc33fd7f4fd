"""What can go wrong with a connection, and when. Plain data."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen
from attrs.validators import ge, gt, in_, optional

__all__ = [
    "Bandwidth",
    "BlackHole",
    "Corrupt",
    "Direction",
    "Down",
    "Fault",
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

Direction: TypeAlias = Literal["upstream", "downstream"]
"""upstream: from the client to the server. downstream: back."""


@frozen(kw_only=True)
class Latency:
    """What is said arrives later, in its order: by `ms`, give or take `jitter_ms`."""

    ms: float = field(validator=ge(0))
    jitter_ms: float = field(default=0.0, validator=ge(0))


@frozen(kw_only=True)
class Bandwidth:
    """No more than so many bytes a second pass."""

    bytes_per_second: float = field(validator=gt(0))


@frozen(kw_only=True)
class Slicer:
    """What is said arrives in small pieces, one after the other."""

    average_bytes: int = field(validator=ge(1))
    variation_bytes: int = field(default=0, validator=ge(0))
    delay_ms: float = field(default=0.0, validator=ge(0))
    """Between two pieces."""


@frozen(kw_only=True)
class ResetPeer:
    """The connection is reset in both directions: an RST, no goodbye."""

    after_ms: float = field(default=0.0, validator=ge(0))


@frozen(kw_only=True)
class Timeout:
    """Nothing passes any more, and after `ms` both ends are closed."""

    ms: float = field(validator=ge(0))


@frozen
class BlackHole:
    """What is said in this direction is taken, and lost. The connection stays, and stays so: where
    bytes are missing, it could not go on."""


@frozen
class Stall:
    """What is said in this direction is not even taken: the buffers before it fill up. A network
    that is cut for a while: once this is lifted, all of it arrives."""


@frozen
class HalfClose:
    """This direction is closed, in order; the other one goes on."""


@frozen(kw_only=True)
class SlowClose:
    """When one end closes, the other hears of it so much later."""

    delay_ms: float = field(validator=ge(0))


@frozen(kw_only=True)
class LimitData:
    """Both ends are closed after so many more bytes."""

    limit_bytes: int = field(validator=ge(0))


@frozen(kw_only=True)
class Corrupt:
    """The next bytes arrive as others."""

    count: int = field(default=1, validator=ge(1))


@frozen(kw_only=True)
class Down:
    """The connection is reset, and so are the next ones, as soon as they are made."""

    connections: int = field(default=1, validator=ge(0))
    """How many of the next ones."""


Toxic: TypeAlias = (
    Latency
    | Bandwidth
    | Slicer
    | ResetPeer
    | Timeout
    | BlackHole
    | Stall
    | HalfClose
    | SlowClose
    | LimitData
    | Corrupt
    | Down
)


Lasting: TypeAlias = Latency | Bandwidth | Slicer | BlackHole | Stall | SlowClose
"""What can hold for all connections, from their beginning on."""


@frozen(kw_only=True)
class Fault:
    """A toxic, and when it comes: counted from the fault before it, on whichever connection.

    First `after_messages` whole WebSocket messages pass in its direction, then `after_bytes` of
    what follows. It stays for the rest of that connection, or for `for_messages` more.
    """

    toxic: Toxic
    direction: Direction = field(default="downstream", validator=in_(("upstream", "downstream")))
    after_messages: int = field(default=0, validator=ge(0))
    after_bytes: int = field(default=0, validator=ge(0))
    for_messages: int | None = field(default=None, validator=optional(ge(1)))

"""How long to wait before each attempt to connect again.

    delay(n) = min(max_delay, first_delay * 2 ** (n - 1)) * (1 - jitter * share)

The share, from 0 to 1, is different for each session and each attempt. It comes from a hash of
both, and not from a random number: the same trace gives the same delays.
"""

from __future__ import annotations

import hashlib
from typing import Final

from realtime_actors.config import Reconnect

__all__ = ["delay_before"]

_BITS: Final = 64
_DOUBLINGS: Final = 32
"""How often a delay is doubled, at most: more would only make the numbers long."""


def delay_before(attempt: int, settings: Reconnect, seed: str) -> float:
    """Return the seconds to wait before an attempt; the first one is 1.

    `seed` tells sessions apart that have lost their connections in the same moment.
    """
    longest = settings.first_delay * 2.0 ** min(attempt - 1, _DOUBLINGS)
    return min(settings.max_delay, longest) * (1 - settings.jitter * _share(f"{seed}/{attempt}"))


def _share(text: str) -> float:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_BITS // 8).digest()
    return float(int.from_bytes(digest, "big") / 2**_BITS)

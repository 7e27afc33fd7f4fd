"""What the core lets a sender of audio know: read by `send_audio` in the caller's thread."""

from __future__ import annotations

import math

from attrs import frozen

__all__ = ["Echo", "Gate"]


@frozen(kw_only=True)
class Echo:
    """What the microphone may pick up besides the user. Times are the session's clock's."""

    muted_until: float = -math.inf
    """Until then the microphone is not heard."""
    audible_until: float = -math.inf
    """Until then the model's voice comes back: only what is louder than it is heard."""
    threshold_db: float = -math.inf
    hold_ms: int = 0
    pre_roll_ms: int = 0


@frozen
class Gate:
    """Whether the microphone may be heard: read by `send_audio` in the caller's thread."""

    open: bool
    reason: str = ""
    """Why it is closed, or why there is no connection, for the error."""
    audio_format: str = "pcm16"
    """What the server takes: pcm16, g711_ulaw or g711_alaw."""
    echo: Echo | None = None
    """What is to be kept from the server; None: nothing."""
    is_down: bool = False
    """There is no connection: what is sent is kept for the next one."""

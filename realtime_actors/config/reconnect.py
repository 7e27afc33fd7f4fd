"""What a session does about a connection that is lost, or whose time will soon be over."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from realtime_actors.config.checks import (
    Settings,
    number,
    one_of,
    time_limit,
    time_limit_or_none,
    whole,
    whole_or_none,
)
from realtime_actors.config.places import placed
from realtime_actors.seconds import unlimited

__all__ = ["Reconnect"]


@placed("RunConfig(reconnect={'*': ...})")
@frozen(kw_only=True, repr=False)
class Reconnect(Settings):
    """How a session gets another connection, and what it keeps until it has one.

    It tries until `max_seconds` or `max_attempts` are used up. Then the session ends with a
    `ConnectionLostError`.
    """

    max_seconds: float = field(default=60.0, validator=time_limit)
    """Seconds after a loss in which there has to be another connection."""
    max_attempts: int | None = field(default=None, validator=whole_or_none(1))
    """How often it is tried in that time. None: any number of times."""
    first_delay: float = field(default=0.25, validator=time_limit)
    """Seconds before the first attempt. Each attempt after it waits twice as long."""
    max_delay: float = field(default=8.0, validator=time_limit)
    """Seconds that an attempt waits at most."""
    jitter: float = field(default=0.5, validator=number(0, 1))
    """Which share of a delay is left to chance, so that a thousand calls that a server has lost
    don't come back in the same moment."""
    on_cut_response: Literal["retry", "drop"] = field(
        default="retry", validator=one_of("retry", "drop")
    )
    """What becomes of a response that the loss has cut in half. "retry": the model is asked to go
    on where it was cut; "drop": it stays as it is, and the user speaks next."""
    max_outage_audio_ms: int = field(default=10_000, validator=whole(0))
    """How much of the user's audio is kept while there is no connection. The oldest is dropped
    for what is new (`InputAudioDroppedEvent`)."""
    max_kept_verbs: int = field(default=100, validator=whole(0))
    """How many verbs wait for the next connection. One more raises `NotConnectedError`."""
    renew_before: float | None = field(
        default=300.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds before the server ends the session (`expires_at`), from which on the conversation
    moves to a new one, as soon as nobody speaks. None: not before the server has ended it."""
    max_retold_tokens: int | None = field(default=None, validator=whole_or_none(1))
    """How much of the conversation a new connection is told, in tokens. None: as much as the
    model can hold (`config.models.context_of`)."""

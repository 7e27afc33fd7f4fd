"""Whether the user can talk over the model, and what is done about its echo."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from realtime_actors.config.checks import Settings, number, one_of, whole
from realtime_actors.config.places import placed

__all__ = ["BargeIn"]


@placed("RunConfig(barge_in={'*': ...})")
@frozen(kw_only=True, repr=False)
class BargeIn(Settings):
    """What the user's speech does while the model speaks.

    full: it interrupts. Right for headsets, telephones and devices that cancel echo.
    gated: it interrupts when it is louder than the model's echo can be; what is not is
    replaced by silence. half_duplex: nobody is heard while the model speaks. off: it
    never interrupts, and is answered when the model has finished.

    Audio is taken to have been recorded right before it is sent.
    """

    mode: Literal["full", "gated", "half_duplex", "off"] = field(
        default="full", validator=one_of("full", "gated", "half_duplex", "off")
    )
    echo_loss_db: float = field(default=15.0, validator=number(0, 96))
    """gated: by how much the model's voice is weaker, at least, when it comes back."""
    tail_ms: int = field(default=300, validator=whole(0, 10_000))
    """gated, half_duplex: how long it still comes back when it has been played: the delay of
    the loudspeaker, the room and the microphone."""
    hold_ms: int = field(default=400, validator=whole(0, 10_000))
    """gated: how long the microphone stays open after a loud moment, so that words stay whole."""
    pre_roll_ms: int = field(default=100, validator=whole(0, 1_000))
    """gated: how much of what came right before a loud moment is heard with it."""

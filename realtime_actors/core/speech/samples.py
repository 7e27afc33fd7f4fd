"""Speech in whole samples, wherever a server cuts it.

A sample of PCM16 has two bytes. A piece with an odd number of them ends in half of a sample,
and the piece after it begins with the other half: read by itself, it would be noise. So the
half is held back, and put before the next piece of the same part.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import define, evolve, field

from realtime_actors.protocol import ResponseOutputAudioDelta

__all__ = ["WholeSamples"]

Part: TypeAlias = tuple[str, str, int]
"""A response, its item, and the index of the content."""

_PCM16: Final = 2


@define
class WholeSamples:
    """The halves of samples that wait for their other half."""

    bytes_per_sample: int = _PCM16
    halves: dict[Part, bytes] = field(factory=dict)

    def whole(self, event: ResponseOutputAudioDelta) -> ResponseOutputAudioDelta:
        """Return a piece in whole samples. It may be empty."""
        if self.bytes_per_sample != _PCM16:
            return event
        part = event.response_id, event.item_id, event.content_index
        audio = self.halves.pop(part, b"") + event.delta
        if len(audio) % _PCM16:
            self.halves[part], audio = audio[-1:], audio[:-1]
        return evolve(event, delta=audio)

    def over(self, response_id: str | None) -> None:
        """Forget the half of a response that has ended: there is no other one to come."""
        for part in tuple(self.halves):
            if part[0] == response_id:
                del self.halves[part]

    def change_format(self, bytes_per_sample: int) -> None:
        """Count samples of this size from now on."""
        self.bytes_per_sample = bytes_per_sample
        self.halves.clear()

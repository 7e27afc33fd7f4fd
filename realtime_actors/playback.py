"""Telling a session what its listener has really heard.

Without a tracker a session assumes that its audio is played in real time from the first
byte on. A player that knows better (a sound card, a phone line that reports marks) tells
a `PlaybackTracker`, and truncation after an interruption is then exact.
"""

from __future__ import annotations

from typing import Protocol

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.errors import ConfigError
from realtime_actors.messages import PlaybackPosition

__all__ = ["PlaybackTracker"]


class Listener(Protocol):
    """What a tracker needs of its session."""

    def tell(self, message: PlaybackPosition, /) -> None:
        """Take a report."""

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        ...


class PlaybackTracker:
    """Reports of a player, for one session. Safe to use from any thread.

    Hand it over as `ModelConfig(playback_tracker=lambda: tracker)`: a factory, since
    each session needs one of its own; a second session is refused one that is in use. What
    is reported before the session has started, or after its end, is dropped.
    """

    def __init__(self, audio_format: str = "pcm16") -> None:
        self._audio_format = audio_format
        self._session: Listener | None = None

    def on_play_bytes(self, item_id: str, content_index: int, audio: bytes) -> None:
        """Add `audio`, in the session's output format, to what was heard of an item."""
        self.on_play_ms(
            item_id, content_index, calculate_audio_length_ms(audio, self._audio_format)
        )

    def on_play_ms(self, item_id: str, content_index: int, ms: float) -> None:
        """Add `ms` milliseconds to what was heard of an item."""
        self._send(PlaybackPosition(item_id, content_index, ms))

    def set_position_ms(self, item_id: str, content_index: int, ms: float) -> None:
        """Set what was heard of an item: `ms` milliseconds from its beginning."""
        self._send(PlaybackPosition(item_id, content_index, ms, absolute=True))

    def bind(self, session: Listener) -> None:
        """Report to this session. Raises `ConfigError` while another one is alive.

        Called by the session that the tracker is for, each time that it is started.
        """
        if session is not self._session:
            self.check_free()
        self._session = session

    def check_free(self) -> None:
        """Raise `ConfigError` while a session has the tracker: its player plays one voice."""
        if self._session is not None and self._session.is_alive():
            raise ConfigError(
                "this PlaybackTracker is another session's already: playback_tracker must be a"
                " function that makes one for each session"
            )

    def _send(self, position: PlaybackPosition) -> None:
        if self._session is not None:
            self._session.tell(position)

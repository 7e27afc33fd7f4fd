"""What a handle of a session and the actor behind it both know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field

from realtime_actors import otp
from realtime_actors.core.contract import Machine
from realtime_actors.core.speech.gate import Gate
from realtime_actors.core.speech.microphone import MicrophoneFilter
from realtime_actors.errors import NotConnectedError
from realtime_actors.playback import PlaybackTracker
from realtime_actors.session.dropped_audio import Untold
from realtime_actors.session.kept_audio import KeptAudio
from realtime_actors.session.standby import StandbyConnection
from realtime_actors.session.subscribers import Subscribers
from realtime_actors.transport.base import DroppedAudio, Transport

__all__ = ["SharedState"]


BUSY: Final = "its own thread, which is busy"


@define
class SharedState:
    """The state that many threads look at. Lives as long as the handle, through all restarts.

    Each field has one owner, who writes it; everybody else reads. A field is replaced as a
    whole, so what is read is never half written.
    """

    subscribers: Subscribers
    """Has a lock of its own."""

    # Written by the actor, in its turns.

    machine: Machine | None = None
    """What the session knows, of the incarnation that lives or was the last: read at its end."""
    gate: Gate = field(factory=lambda: Gate(False, "the session is not connected yet"))
    """Whether audio may be sent, and how: read by `send_audio` in the caller's thread."""
    standby: StandbyConnection | None = None
    """The connection that is to take the place of `transport`."""
    over: str = ""
    """Why nothing can be asked any more."""
    waits_for: str = BUSY
    """What the end of the session waits for now, in words."""
    unreadable: str = ""
    """What is wrong with something that the server sent before the session was ready."""

    # Written by the task that connects, and then by the actor; guarded by `_lock` against a
    # task of an incarnation that is over.

    transport: Transport | None = None
    _lock: threading.Lock = field(factory=threading.Lock)

    # Written by the actor as it begins, and fixed from then on.

    clock: Callable[[], float] = time.monotonic
    supervisor: otp.ServerRef | None = None
    """It may start the session again."""
    outage_seconds: float | None = None
    """How long the session may be without a connection; None: it ends with its connection."""
    playback_tracker: PlaybackTracker | None = None
    warns_of_ends: bool = False
    """The server is OpenAI's, as far as is known: see `config.models.endings`."""

    # Written by the handle, in the caller's thread.

    closing: bool = False
    """The end was asked for."""
    microphone: MicrophoneFilter = field(factory=MicrophoneFilter)
    """Belongs to the one thread that sends audio."""
    dropped_audio: Untold = field(factory=Untold)
    """Has a lock of its own."""
    kept_audio: KeptAudio = field(factory=KeptAudio)
    """What was sent while there was no connection. Has a lock of its own."""

    def begin(self) -> None:
        """Belong to another incarnation, which has no connection yet."""
        with self._lock:
            self.transport = self.standby = None
        self.dropped_audio = Untold()  # the one before may not have come to telling all
        self.kept_audio.discard()
        self.over, self.waits_for, self.closing = "", BUSY, False

    def adopt(self, transport: Transport, is_over: Callable[[], bool]) -> bool:
        """Use a connection; not that of an incarnation that is over."""
        with self._lock:
            if is_over():
                return False
            self.transport = transport
        return not is_over()  # else it may be that nobody has seen it

    def send_audio(self, audio: bytes, audio_format: str, *, commit: bool) -> DroppedAudio | None:
        """Send the user's audio, or keep it while there is no connection. Gives what had to go.

        Raises what `Transport.send_audio` raises.
        """
        transport = self.transport
        if self.kept_audio.is_keeping or transport is None:
            kept, dropped = self.kept_audio.keep(audio, audio_format, commit=commit)
            if kept:
                return dropped
            transport = self.transport
        if transport is None:
            raise NotConnectedError("audio was not sent: there is no connection")
        try:
            return transport.send_audio(audio, commit=commit, audio_format=audio_format)
        except NotConnectedError:
            if self.outage_seconds is not None:
                # It is lost, and the session hears of that in a moment.
                kept, dropped = self.kept_audio.keep(
                    audio, audio_format, commit=commit, is_lost=lambda: self.transport is transport
                )
                if kept:
                    return dropped
            another = self.transport
            if another is None or another is transport:
                raise
            # Another connection has taken its place, just now.
            return another.send_audio(audio, commit=commit, audio_format=audio_format)

    def leave_to_parent(self) -> None:
        """Share nothing with the parent's threads any more, in a child of fork."""
        self._lock = threading.Lock()
        self.subscribers = Subscribers(self.subscribers.session)
        self.kept_audio = KeptAudio()
        self.transport = self.standby = self.supervisor = None

    @property
    def connections(self) -> list[Transport | StandbyConnection]:
        """What is open, or may be."""
        return [each for each in (self.transport, self.standby) if each is not None]

"""The way of what the server says into the session, and the short cut for its speech.

All of it goes into the session's mailbox, a message for each read. A subscriber with
`direct=True` does not wait for that: it is handed the model's speech by the thread that
reads the socket, and the session hears of it later, along with whatever comes next. That
saves two changes of thread for each piece of speech, where nothing is to be decided:

- only while the machine says that a response's speech is published as it comes
  (`Machine.airing`). It takes that back before it publishes an interruption, and nothing
  of the response is handed out from then on;
- only when the session has handled all that came before, so that nothing is overtaken;
- only in whole samples.

What can't take the short cut comes the usual way, to direct subscribers as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Lock, get_ident
from typing import Any, Final

from attrs import frozen

from realtime_actors import otp
from realtime_actors.core.speech import audio_event
from realtime_actors.events import EventInfo
from realtime_actors.protocol import ResponseOutputAudioDelta, ServerEvent
from realtime_actors.subscribers import Subscribers
from realtime_actors.transport import Disconnected

__all__ = ["Aired", "Frames", "Inlet"]

READS_UNTOLD: Final = 25
"""How often speech is handed out before the session is woken up to hear of it: half a second."""


@frozen
class Frames:
    """What one read of the socket gave."""

    events: Sequence[ServerEvent | Disconnected]
    inlet: Inlet
    """The way that they came: a session that has changed its connection has another."""


@frozen
class Aired:
    """Speech was handed out: see `Inlet.aired`."""


class Inlet:
    """What a session is told by its transport's thread. One for each connection."""

    def __init__(
        self, session: Any, subscribers: Subscribers, info: EventInfo, clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._subscribers = subscribers
        self._info = info
        self._clock = clock
        self.lock = Lock()
        """Guards the short cut: nothing is handed out by it while somebody else holds this."""
        self._airing: str | None = None
        # `Frames` that were sent, by the one thread, and handled, by the other.
        self._sent = 0
        self._handled = 0
        self._aired: deque[tuple[float, ResponseOutputAudioDelta]] = deque()
        self._reads_untold = 0

    # -- for the thread that reads ---------------------------------------------------------

    def deliver(self, batch: Sequence[ServerEvent | Disconnected]) -> None:
        """Take what one read gave."""
        if self._subscribers.direct and self._sent == self._handled and self._air(batch):
            self._reads_untold += 1
            if self._reads_untold < READS_UNTOLD and not self._subscribers.audio_beside:
                return
            otp.send(self._session, Aired())
        else:
            self._sent += 1
            otp.send(self._session, Frames(batch, self))
        self._reads_untold = 0

    def _air(self, batch: Sequence[ServerEvent | Disconnected]) -> bool:
        """Hand it out, if it is speech and nothing else."""
        airing, deltas = self._airing, []
        for event in batch:
            if type(event) is not ResponseOutputAudioDelta or event.response_id != airing:
                return False
            if len(event.delta) & 1:
                return False  # it may end in half of a sample
            deltas.append(event)
        now = self._clock()
        with self.lock:
            if self._airing != airing:
                return False
            self._session.line.handing_out = get_ident()
            try:
                for delta in deltas:
                    self._aired.append((now, delta))
                    self._subscribers.publish_direct(audio_event(delta, self._info))
            finally:  # a subscriber may be interrupted by Ctrl-C
                self._session.line.handing_out = None
        return True

    # -- for the session -------------------------------------------------------------------

    def air(self, response_id: str | None) -> None:
        """Let the speech of this response be handed out from now on, and no other."""
        if response_id == self._airing:
            return
        if self._session.line.handing_out == get_ident():
            self._airing = response_id  # it is a direct subscriber that has killed the session
            return
        with self.lock:
            self._airing = response_id

    def aired(self) -> Iterator[tuple[float, ResponseOutputAudioDelta]]:
        """What was handed out since the last time, and when it came."""
        while self._aired:
            yield self._aired.popleft()

    def handled(self) -> None:
        """One `Frames` has been dealt with, all that follows from it included."""
        self._handled += 1

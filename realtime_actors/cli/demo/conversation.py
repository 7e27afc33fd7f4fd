"""Holds the conversation: says the caller's lines at the right time, watches what comes back.

Nothing here waits for a time and hopes: each step waits for an event, or for the agent's
speech to have been played, and gives up with a message when it does not come.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from realtime_actors import events
from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.cli.demo.caller import FrameSent, Microphone, MicrophoneFailed
from realtime_actors.cli.demo.script import Line
from realtime_actors.cli.demo.view import View
from realtime_actors.errors import RealtimeError
from realtime_actors.messages import SessionEvent
from realtime_actors.recording import Recorder, Recording

if TYPE_CHECKING:
    from realtime_actors.session import Session

__all__ = ["Conversation", "ConversationError"]

BREATH = 0.4
"""Seconds of silence before the caller answers."""
PATIENCE = 15.0
"""Seconds to wait for an answer to begin or end, its playback apart."""
SETTLES = 1.5
"""Seconds after the caller's last sound until a server has noticed that it was the last."""


class ConversationError(RealtimeError):
    """Something that the conversation waited for did not come."""


class Conversation:
    """One call. All but the microphone happens on the thread that holds it."""

    def __init__(self, session: Session, view: View) -> None:
        self._session = session
        self._view = view
        self._inbox: queue.SimpleQueue[tuple[float, SessionEvent | FrameSent | MicrophoneFailed]]
        self._inbox = queue.SimpleQueue()
        self._started_at = time.monotonic()
        self._recorder = Recorder(self._started_at)
        self._events: list[events.Event] = []

    def put(self, message: SessionEvent | FrameSent | MicrophoneFailed) -> None:
        """Take what happens, with the time at which it comes: this is a subscriber."""
        self._inbox.put((time.monotonic(), message))

    def hold(self, lines: Sequence[tuple[Line, bytes]]) -> None:
        """Say all lines, each with its sound, and listen to the answers.

        Raises `ConversationError` when one does not come.
        """
        with self._microphone() as microphone:
            for line, sound in lines:
                self._say(line, sound, microphone)
            self._hear_out()

    def play(self, sound: bytes) -> None:
        """Say something without listening, and then hear the answer out."""
        with self._microphone() as microphone:
            self._speak(sound, microphone)
            self._wait(SETTLES, "silence")
            self._hear_out()

    def recording(self) -> Recording:
        """What has been recorded by now."""
        return self._recorder.finish(time.monotonic())

    @contextmanager
    def _microphone(self) -> Iterator[Microphone]:
        self._session.subscribe(self)
        try:
            with Microphone(self._session, self.put) as microphone:
                yield microphone
        finally:
            self._session.unsubscribe(self)

    def _say(self, line: Line, sound: bytes, microphone: Microphone) -> None:
        if line.over_the_agent_after is None:
            self._hear_out()
        else:
            self._hear_for(line.over_the_agent_after)
        mark = len(self._events)
        self._speak(sound, microphone)
        mark = self._until_event(events.SpeechStoppedEvent, mark, f"the end of {line.text!r}")
        self._until_event(events.AudioEvent, mark, f"an answer to {line.text!r}")

    def _speak(self, sound: bytes, microphone: Microphone) -> None:
        microphone.say(sound)
        length = calculate_audio_length_ms(sound) / 1000
        self._until(lambda: not microphone.speaking, length + PATIENCE, "the caller to finish")

    def _hear_out(self) -> None:
        """Wait until nothing is owed, and what was said has been heard."""
        self._until(self._nothing_is_owed, PATIENCE, "the end of the answer")
        self._wait(self._recorder.playing_until + BREATH - time.monotonic(), "the answer")

    def _hear_for(self, seconds: float) -> None:
        """Wait until the agent has been speaking for so long."""
        answer = self._recorder.timeline(time.monotonic()).turns_of("agent")[-1]
        self._wait(self._started_at + answer.starts_at + seconds - time.monotonic(), "the agent")
        if time.monotonic() > self._recorder.playing_until:
            raise ConversationError(f"the answer was over before {seconds} s: {answer.text!r}")

    def _nothing_is_owed(self) -> bool:
        for event in reversed(self._events):
            match event:
                case events.AgentEndEvent(final=final):
                    return final
                case (
                    events.AgentStartEvent()
                    | events.SpeechStartedEvent()
                    | events.SpeechStoppedEvent()
                ):
                    return False
                case _:
                    pass  # it tells nothing about who is to speak
        return True

    def _until_event(self, wanted: type[events.Event], mark: int, what: str) -> int:
        """Wait for an event after `mark`; gives the mark after it."""

        def found() -> int | None:
            later = enumerate(self._events[mark:], start=mark + 1)
            return next((index for index, event in later if isinstance(event, wanted)), None)

        self._until(lambda: found() is not None, PATIENCE, what)
        return found() or mark

    def _wait(self, seconds: float, what: str) -> None:
        """Let so much time of the conversation pass."""
        end = time.monotonic() + max(0.0, seconds)
        self._until(lambda: time.monotonic() >= end, max(0.0, seconds) + PATIENCE, what)

    def _until(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise ConversationError(f"waited {timeout:.0f} s for {what}: it did not come")
            self._take()

    def _take(self) -> None:
        """Record and show the next thing that happens. Frames keep coming, so it is soon."""
        try:
            now, message = self._inbox.get(timeout=0.1)
        except queue.Empty:
            return
        match message:
            case FrameSent(audio=frame):
                self._recorder.sent(frame, now)
                self._view.update(self._recorder.timeline(now), frame)
            case MicrophoneFailed(error=error):
                raise ConversationError(f"the caller was cut off: {error}") from error
            case SessionEvent(event=event):
                self._events.append(event)
                self._recorder.received(event, now)
                if isinstance(event, events.ToolApprovalRequiredEvent):
                    # Somebody at the clinic looks at it, and agrees.
                    self._session.approve(event.call_id)

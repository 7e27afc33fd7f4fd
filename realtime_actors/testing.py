"""Testing a voice agent without a key, a network or a microphone.

`ScriptedTransport` plays the server: it says what you script, checks what the session
sends, and uses the real codec. `Probe` is a subscriber that a test can wait on.
`fake_clock()` makes time stand still until the test moves it, for the sessions that are
started within it. `JournalContract` has the tests that every journal has to pass.

    script = ScriptedTransport()
    script.expect("conversation.item.create")
    script.expect("response.create", answer=[{"type": "response.created", ...}])
    with script, ra.run(agent, transport=script) as session:
        probe = Probe(session)
        session.send_message("Hello!")
        probe.wait_for(AgentStartEvent)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Condition
from typing import Any, Self, TypeAlias, TypeVar

from attrs import define, field

from realtime_actors.errors import NotConnectedError, TransportError
from realtime_actors.events import ErrorEvent, Event
from realtime_actors.journal.contract import JournalContract
from realtime_actors.messages import SessionEvent
from realtime_actors.otp import FakeClock, fake_clock
from realtime_actors.protocol import (
    ClientEvent,
    Dialect,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    ServerEvent,
)
from realtime_actors.seconds import LONGEST_WAIT, seconds
from realtime_actors.session import Session
from realtime_actors.transport.base import ConnectOptions, Deliver, Disconnected, DroppedAudio

__all__ = ["FakeClock", "JournalContract", "Probe", "ScriptedTransport", "fake_clock"]

Wire: TypeAlias = Mapping[str, Any]
E = TypeVar("E")


@define
class _Step:
    type: str
    members: Wire
    answer: tuple[Wire, ...]

    def matches(self, sent: Wire) -> bool:
        return sent.get("type") == self.type and _contains(sent, self.members)


class ScriptedTransport:
    """A server that follows a script. Give it to `ra.run(transport=...)`, once.

    It takes part in the handshake by itself (`session.created`, and `session.updated`
    for each `session.update`, echoing it) unless `handshake` is False. With `strict`,
    whatever the session sends besides must be expected, in order: what was not, and
    what was expected and did not come, is an `AssertionError` of `verify()`, which
    leaving the `with` block calls. Without, everything is taken, and the script only
    answers. Microphone audio is never held against you.
    """

    def __init__(self, *, strict: bool = True, handshake: bool = True) -> None:
        self.sent: list[Wire] = []
        """All that the session sent, as it is on the wire, oldest first."""
        self._strict = strict
        self._handshake = handshake
        self._steps: list[_Step] = []
        self._unexpected: list[Wire] = []
        self._deliver: Deliver | None = None
        self._dialect: Dialect | None = None
        self._changed = Condition()  # guards everything above

    # -- the test's side -----------------------------------------------------------------

    def expect(self, type: str, *, answer: Iterable[Wire] = (), **members: Any) -> Self:  # noqa: A002 - the wire's word
        """Expect an event next, with at least these members; say `answer` when it comes.

        Members are compared deeply: a mapping needs to be contained, not equal.
        """
        with self._changed:
            self._steps.append(_Step(type, members, tuple(answer)))
        return self

    def emit(self, *events: Wire | ServerEvent | str | bytes) -> None:
        """Say something now: an event, its JSON object, or any text (also a broken one)."""
        dialect, deliver = self._dialect, self._deliver
        if dialect is None or deliver is None:
            raise NotConnectedError("no session is connected to this transport")
        deliver([_decoded(each, dialect) for each in events])

    def drop(self, code: int | None = 1006, reason: str = "dropped by the test") -> None:
        """Lose the connection."""
        deliver, self._deliver = self._deliver, None
        if deliver is not None:
            error = TransportError(reason, code=code)
            deliver([Disconnected(code=code, reason=reason, error=error)])

    def wait_for(self, type: str, *, count: int = 1, timeout: float = 5.0) -> Wire:  # noqa: A002 - the wire's word
        """Wait until the session has sent `count` events of a type; give the last of them.

        Raises `AssertionError` after `timeout` seconds.
        """
        timeout = seconds(timeout, "the timeout of wait_for()")
        with self._changed:
            found: list[Wire] = []

            def enough() -> bool:
                found[:] = [each for each in self.sent if each.get("type") == type]
                return len(found) >= count

            if not self._changed.wait_for(enough, min(timeout, LONGEST_WAIT)):
                raise AssertionError(
                    f"the session sent {len(found)} of {count} {type!r} within {timeout:g} s; "
                    f"it sent {self.sent_types}"
                )
            return found[count - 1]

    @property
    def sent_types(self) -> list[str]:
        """The types of all that the session sent, without the microphone's audio."""
        kinds = [str(each.get("type")) for each in self.sent]
        return [kind for kind in kinds if kind != InputAudioBufferAppend.type]

    def verify(self) -> None:
        """Raise `AssertionError` for what was not expected, or expected in vain."""
        with self._changed:
            if self._unexpected:
                kinds = [each.get("type") for each in self._unexpected]
                raise AssertionError(f"not expected, or not now: {kinds}")
            if self._steps:
                raise AssertionError(f"never sent: {[step.type for step in self._steps]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:  # else it would hide what went wrong first
            self.verify()

    # -- the session's side --------------------------------------------------------------

    def __call__(self, options: ConnectOptions, dialect: Dialect) -> Self:
        """Be the transport of a session (`TransportFactory`)."""
        self._dialect = dialect
        return self

    def connect(self, deliver: Deliver) -> None:
        """See `Transport.connect`."""
        self._deliver = deliver
        if self._handshake:
            self.emit({"type": "session.created", "session": {"type": "realtime"}})

    def send(self, event: ClientEvent) -> None:
        """See `Transport.send`."""
        dialect = self._dialect
        if self._deliver is None or dialect is None:
            raise NotConnectedError("the scripted connection is down")
        wire: Wire = json.loads(dialect.encode_client(event))
        for answer in self._take(wire):
            self.emit(answer)

    def send_audio(
        self, audio: bytes, *, commit: bool = False, audio_format: str = "pcm16"
    ) -> DroppedAudio | None:
        """See `Transport.send_audio`. A script takes all at once: nothing is dropped."""
        self.send(InputAudioBufferAppend(audio=audio))
        if commit:
            self.send(InputAudioBufferCommit())
        return None

    def close(self, timeout: float = 2.0) -> None:
        """See `Transport.close`."""
        seconds(timeout, "the timeout of close()")
        self._deliver = None

    @property
    def connected(self) -> bool:
        return self._deliver is not None

    def _take(self, wire: Wire) -> tuple[Wire, ...]:
        with self._changed:
            self.sent.append(wire)
            self._changed.notify_all()
            if self._steps and self._steps[0].matches(wire):
                return self._steps.pop(0).answer
            kind = wire.get("type")
            # The beta interface has another name for it where a session only transcribes.
            if self._handshake and kind in ("session.update", "transcription_session.update"):
                return ({"type": f"{kind}d", "session": wire.get("session", {})},)
            if self._strict and kind != InputAudioBufferAppend.type:
                self._unexpected.append(wire)
            return ()


@define(eq=False)
class Probe:
    """A subscriber that remembers, and can be waited on.

    With a session it subscribes itself: `Probe(session)`, or `Probe(session, raw=True)`.
    """

    session: Session | None = None
    only: Sequence[type[Any]] | type[Any] | None = None
    raw: bool = False
    events: list[Event] = field(factory=list, init=False)
    """All events so far, oldest first."""
    _seen: int = field(default=0, init=False)
    _changed: Condition = field(factory=Condition, init=False)

    def __attrs_post_init__(self) -> None:
        if self.session is not None:
            self.session.subscribe(self, only=self.only, raw=self.raw)

    def put(self, message: SessionEvent) -> None:
        """Called by the session."""
        with self._changed:
            self.events.append(message.event)
            self._changed.notify_all()

    def wait_for(
        self,
        kind: type[E],
        where: Callable[[E], bool] = lambda event: True,
        *,
        timeout: float = 5.0,
    ) -> E:
        """Wait for the next event of a class, after the one that was waited for last.

        Raises `AssertionError` after `timeout` seconds.
        """
        timeout = seconds(timeout, "the timeout of wait_for()")
        with self._changed:
            start = self._seen
            found: list[E] = []

            def is_there() -> bool:
                for number in range(self._seen, len(self.events)):
                    event = self.events[number]
                    self._seen = number + 1
                    if isinstance(event, kind) and where(event):
                        found.append(event)
                        return True
                return False

            if not self._changed.wait_for(is_there, min(timeout, LONGEST_WAIT)):
                self._seen = start
                raise AssertionError(
                    f"no {kind.__name__} within {timeout:g} s, only {self._told(start)}"
                )
            return found[0]

    def all(self, kind: type[E]) -> list[E]:
        """All events of a class so far."""
        return [each for each in tuple(self.events) if isinstance(each, kind)]

    def _told(self, start: int) -> str:
        """What came, in a line: mostly an error says why something else did not."""
        came = self.events[start:]
        errors = [str(each.error) for each in came if isinstance(each, ErrorEvent)]
        kinds = str([each.type for each in came])
        return f"{kinds}; errors: {errors}" if errors else kinds


def _contains(sent: object, expected: object) -> bool:
    if isinstance(expected, Mapping):
        return isinstance(sent, Mapping) and all(
            key in sent and _contains(sent[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(sent, list | tuple)
            and len(sent) == len(expected)
            and all(map(_contains, sent, expected))
        )
    return sent == expected


def _decoded(said: Wire | ServerEvent | str | bytes, dialect: Dialect) -> ServerEvent:
    if isinstance(said, ServerEvent):
        return said
    text = json.dumps(said) if isinstance(said, Mapping) else said
    return dialect.decode_server(text)

"""A running conversation: the handle that the world holds.

`Session` is what `ra.run()` gives: a pykka `ActorRef` with verbs. The actor behind it
is `SessionServer`, in `actor`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

import pykka

from realtime_actors import events, messages, otp
from realtime_actors.agent import Agent, Handoff
from realtime_actors.audio import check_audio
from realtime_actors.config import SessionModelSettings, merge_settings
from realtime_actors.config.models import endings, warn
from realtime_actors.config.names import hint_for_verb
from realtime_actors.core.contract import KNOWN, Machine
from realtime_actors.core.speech.gate import Gate
from realtime_actors.errors import ConfigError, NotConnectedError, SessionClosedError
from realtime_actors.events import InputTranscriptEvent
from realtime_actors.items import Item
from realtime_actors.otp import fork
from realtime_actors.playback import PlaybackTracker
from realtime_actors.seconds import seconds
from realtime_actors.session.closing import begin_close, close
from realtime_actors.session.dropped_audio import AudioWasDropped
from realtime_actors.session.event_loops import warn_in_event_loop
from realtime_actors.session.event_stream import EVENTS_LIMIT, EventStream, Stream
from realtime_actors.session.shared import SharedState
from realtime_actors.session.subscribers import Only, Subscribers, event_classes
from realtime_actors.transcript import render_transcript
from realtime_actors.transport.base import DroppedAudio
from realtime_actors.usage import SessionUsage

__all__ = ["DeadSessionError", "Session", "time_limit"]

E = TypeVar("E", bound=events.Event)

HAND_OFF_TIMEOUT = 60.0
"""Seconds that `hand_off` waits: a change of the connection may take forty."""

LAST_TRIES = 10

CALL_TIMEOUT = 10.0
"""Seconds that a verb waits for its answer, beside those in which there may be no connection; only
`update_session` needs the server for it."""


class DeadSessionError(SessionClosedError, pykka.ActorDeadError):
    """The session has ended: what every verb raises then. To pykka, a dead actor."""


class Session(otp.ServerRef):
    """A running conversation. Safe to use from any thread.

    It is a pykka `ActorRef` too: `ask(messages.SendMessage("Hi"))`, `tell`, `proxy` and
    `stop` work, and it can be passed around freely. Each verb waits until the session
    has taken it. After the end they raise a `SessionClosedError` that says why it ended
    (`DeadSessionError`, which is a `pykka.ActorDeadError` too). While there is no
    connection, those that send wait for the next one (`RunConfig.reconnect`).
    `history()`, `transcript()`, `usage()` and
    `current_agent()` can be read for ever: after the end they give what was known last.
    """

    def __init__(self, actor: otp.GenServer) -> None:
        super().__init__(actor)
        self.shared = SharedState(Subscribers(self))
        """What the handle shares with its actor. Not for others."""
        fork.each_in_child(self, Session._leave_to_parent)

    def _leave_to_parent(self) -> None:
        self.shared.leave_to_parent()
        if self._is_the_parents:  # else it had ended before
            why = f"{fork.lives_elsewhere('this session')}: start another one here"
            self.shared.over, self.shared.gate = why, Gate(False, why)

    @overload
    def ask(
        self, message: Any, *, block: Literal[False], timeout: float | None = None
    ) -> otp.Answer[Any]: ...
    @overload
    def ask(self, message: Any, *, block: Literal[True], timeout: float | None = None) -> Any: ...
    @overload
    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None
    ) -> Any | otp.Answer[Any]: ...
    def ask(
        self, message: Any, *, block: bool = True, timeout: float | None = None
    ) -> Any | otp.Answer[Any]:
        """Ask for something of `messages`, and give the answer, or raise its error.

        Raises `DeadSessionError` (a `SessionClosedError`, and a `pykka.ActorDeadError`)
        when the session has ended, `otp.CallTimeout` after `timeout` seconds (None: never), and
        `otp.DeadlockError` from inside the session: from the `put` of a subscriber, for one.
        Not `block`: gives a future, which a coroutine can `await`.
        """
        if type(message) is messages.UpdateSession:
            self._warn_of_ends(message)
        if block:
            warn_in_event_loop(f"{type(message).__name__} of a session")
            return self._answered(message, partial(super().ask, message, timeout=timeout))
        asked = super().ask(message, block=False, timeout=timeout)
        return asked.through(partial(self._answered, message))

    def _answered(self, message: object, answer: Callable[[], Any]) -> Any:
        """Give the answer, with one error for all that the end of a session may mean."""
        try:
            return answer()
        except DeadSessionError:
            raise
        except SessionClosedError as closed:  # it is ending, and still answers
            raise DeadSessionError(f"{type(message).__name__}: {closed}") from closed
        except otp.CallExit as gone:
            if type(message) in KNOWN and self.shared.machine is not None:
                with contextlib.suppress(Exception):  # it failed in the middle of a change
                    return _last_known(self.shared.machine, message)
            why = self.shared.over or "the session has ended"
            raise DeadSessionError(f"{type(message).__name__}: {why}") from gone

    def send_audio(self, audio: bytes, *, commit: bool = False) -> None:
        """Send audio of the user, in the session's input format (PCM16: 24 kHz, mono).

        Written from the caller's thread; never waits. `commit` ends the user's turn
        after it (for sessions without turn detection), and asks for no response.
        While the model speaks, silence may take the audio's place: see `BargeIn`, which
        needs one thread to send all of it.
        When the network is slower than the audio, the oldest that waits is dropped: see
        `ModelConfig.max_outbound_audio_ms` and `InputAudioDroppedEvent`. While there is no
        connection it is kept for the next one: see `Reconnect.max_outage_audio_ms`.
        Raises `AudioFormatError`, `NotConnectedError`, and `OutboundFullError` (a
        `TransportError`: nothing was sent) when too much of anything waits.
        """
        shared = self.shared
        gate = shared.gate
        if not gate.open:
            if not self.is_alive():
                raise DeadSessionError(f"audio was not sent: {gate.reason}")
            raise NotConnectedError(f"audio was not sent: {gate.reason}")
        audio = check_audio(audio, gate.audio_format)
        if gate.echo is not None:
            audio = shared.microphone.process(audio, gate.audio_format, gate.echo, shared.clock())
        dropped = shared.send_audio(audio, gate.audio_format, commit=commit)
        if dropped is not None:
            self.audio_was_dropped(dropped)

    def audio_was_dropped(self, dropped: DroppedAudio) -> None:
        """Tell the session of audio that was not sent. Not for others."""
        if self.shared.dropped_audio.add(dropped):
            otp.send(self, AudioWasDropped())

    def send_message(self, message: str | Mapping[str, object] | Item) -> None:
        """Add a message of the user to the conversation and ask for a response.

        A string, an item of `realtime_actors.items`, or a dict like the wire's.
        Raises `ConfigError` for anything else.
        """
        self._verb(messages.SendMessage(message))

    def create_response(self, **overrides: Unpack[messages.ResponseOptions]) -> None:
        """Ask for a response, now or after the one in progress.

        What `overrides` leave out is the session's. With `conversation="none"` it runs
        beside the conversation, at once; tell it apart by its `metadata`.

        With `interruptible=False` the user's speech does not stop it: while it is made
        and heard the server gets silence. `interrupt()` and guardrails still stop it.
        """
        self._verb(messages.CreateResponse(**overrides))

    def commit_audio(self) -> None:
        """End the user's turn, when nobody detects turns. Asks for no response."""
        self._verb(messages.CommitAudio())

    def clear_audio(self) -> None:
        """Throw away the audio that was sent and is not committed."""
        self._verb(messages.ClearAudio())

    def send_raw_event(self, event: Mapping[str, object]) -> None:
        """Send a client event as it is. Raises `ConfigError` when it has no `type`.

        A `response.create` takes its turn like any other.
        """
        self._verb(messages.SendRawEvent(event))

    def add_item(self, item: str | Mapping[str, object] | Item, *, after: str | None = None) -> str:
        """Add an item to the conversation without asking for a response. Gives its id.

        Text is a message of the user; `after` is the id of the item that it follows
        ("root": before all, None: at the end). The id can be used at once, before the server
        has answered. Raises `ConfigError`.
        """
        item_id: str = self._verb(messages.AddItem(item, after=after))
        return item_id

    def delete_item(self, item_id: str) -> None:
        """Take an item out of the conversation.

        Raises `ConfigError` if there is none, or it is a call that is not answered yet.
        """
        self._verb(messages.DeleteItem(item_id))

    def truncate_item(self, item_id: str, audio_end_ms: int, *, content_index: int = 0) -> None:
        """Keep of what the model said only the first `audio_end_ms` milliseconds."""
        self._verb(messages.TruncateItem(item_id, audio_end_ms, content_index=content_index))

    def retrieve_item(self, item_id: str) -> None:
        """Ask the server for all that it has of an item; the history takes it up."""
        self._verb(messages.RetrieveItem(item_id))

    def update_history(self, items: Sequence[Mapping[str, object] | Item]) -> None:
        """Make the conversation these items; what differs from `history()` is sent.

        Compared is with the history as it was when the program read it: what has grown or
        come since stays. A changed item is deleted, and added anew. Raises `ConfigError` for
        what is no list of items, or when items have changed places.
        """
        self._verb(messages.UpdateHistory(items))

    def transcript(self) -> str:
        """The conversation as people read it: who said what, a line each."""
        return render_transcript(self.history())

    def interrupt(self) -> None:
        """Stop the model's speech now. Does nothing when it isn't speaking."""
        self._verb(messages.Interrupt())

    def approve(self, call_id: str, *, always: bool = False) -> None:
        """Let a call run that waits for approval (`ToolApprovalRequiredEvent`).

        With `always`, later calls of the same tool run without asking, as long as the
        session lasts.
        Raises `LocalProtocolError` when no call of that id waits, or not any more.
        """
        self._verb(messages.Approve(call_id, always=always))

    def reject(self, call_id: str, *, reason: str | None = None, always: bool = False) -> None:
        """Refuse a call that waits for approval. The model is told, with the reason.

        With `always`, later calls of the same tool are refused without asking.
        Raises `LocalProtocolError` when no call of that id waits, or not any more.
        """
        self._verb(messages.Reject(call_id, reason=reason, always=always))

    def update_session(self, settings: SessionModelSettings | Mapping[str, object]) -> None:
        """Change settings, and wait until the server has acknowledged them.

        Raises `ConfigError` for what can't be, `SessionUpdateError` when the server
        refuses: the settings before are in force then.
        """
        self._verb(messages.UpdateSession(settings))

    def hand_off(self, agent: Agent | Handoff) -> None:
        """Make another agent the current one, and wait until the server has its configuration.

        It speaks from the next response on; none is asked for. A `Handoff` may filter what the
        agent knows of the conversation, or get it another voice (`voice="reconnect"`, which
        may take until nobody speaks).
        Raises `ConfigError`; `SessionUpdateError` when the server refuses (the old agent goes
        on then); and `LocalProtocolError` while another handoff is under way, or when the
        voice can't change any more.
        """
        self._verb(messages.HandOff(agent))

    def subscribe(
        self, subscriber: Any, *, only: Only = None, raw: bool = False, direct: bool = False
    ) -> None:
        """Hand events to `subscriber`, from now on: each as `SessionEvent(session, event)`.

        An actor's ref is told them; anything with `put` (a `queue.SimpleQueue`) gets
        them put. `only` names the classes of events that are wanted; `raw` adds every
        event of the server. Subscribing again replaces the first subscription.

            session.subscribe(dashboard, only=[ErrorEvent, UsageEvent])
            session.subscribe(player, only=[AudioEvent, AudioInterruptedEvent], direct=True)

        The queues of the standard library, streams and most actors' refs never keep the
        session waiting, so events come from the thread that has read them. Any other `put` may
        wait: as long as such a subscriber is there, the session hands events out in its own
        thread, which costs two changes of thread for each read. `direct` is the promise that
        this `put` does not wait. Break it, and it holds up all sessions of the process.
        All subscribers get all events in one order, one after the other, and none of a
        response's audio follows its `AudioInterruptedEvent`. No verb but `send_audio` may be
        called in a `put`: the others raise `otp.DeadlockError`.
        """
        self._verb(messages.Subscribe(subscriber, only=only, raw=raw, direct=direct))

    def unsubscribe(self, subscriber: Any) -> None:
        """Hand no more events to `subscriber`. Does nothing for a stranger."""
        self._verb(messages.Unsubscribe(subscriber))

    def events(
        self,
        *,
        timeout: float | None = None,
        only: Only = None,
        limit: int = EVENTS_LIMIT,
    ) -> EventStream[events.Event]:
        """Subscribe, and give the events as an iterator that ends with the session.

        After the last event it raises what ended the session, such as `SessionFailedError`,
        unless that was asked for (`close()`, a limit of `RunConfig`). It raises
        `TimeoutError` when nothing comes for `timeout` seconds. It keeps `limit` events
        for a slow reader, then drops the oldest. The subscription ends with the stream: with
        its `close()`, a `with` block around it, or when nobody holds it any more.
        """
        stream: EventStream[events.Event] = EventStream(
            self._is_over, timeout=timeout, limit=limit, on_close=self.detach
        )
        return self._read(stream, only)

    def _read(self, stream: EventStream[E], only: Only) -> EventStream[E]:
        # It has to see the end, whatever else it sees.
        classes = event_classes(only)
        wanted = None if classes is None else (*classes, events.ConnectionEvent)
        self._verb(messages.Subscribe(stream, only=wanted))
        return stream

    def transcripts(self, *, timeout: float | None = None) -> EventStream[InputTranscriptEvent]:
        """Subscribe, and give what the user says, turn by turn, until the session ends.

        One event per turn of speech, when its words are known or known to be lost: see its
        `status` and `text`. Raises what ended the session, like `events()`, and
        `TimeoutError` when no word comes for `timeout` seconds.
        """
        stream: EventStream[InputTranscriptEvent] = EventStream(
            self._is_over,
            timeout=timeout,
            wanted=lambda event: (
                isinstance(event, InputTranscriptEvent) and event.status != "partial"
            ),
            on_close=self.detach,
        )
        return self._read(stream, InputTranscriptEvent)

    def dropped(self, subscriber: Any) -> int:
        """How many events `subscriber` was too full to take."""
        return self.shared.subscribers.dropped(subscriber)

    def history(self) -> Sequence[Item]:
        """The conversation so far, in its order. After the end: as it was then.

        What is given never changes (see `realtime_actors.snapshot`).
        """
        history: Sequence[Item] = self._verb(messages.History())
        return history

    def current_agent(self) -> Agent:
        """The agent that is speaking to the user, or was the last to do so."""
        agent: Agent = self._verb(messages.CurrentAgent())
        return agent

    def usage(self) -> SessionUsage:
        """Tokens of all responses and transcriptions so far, and what they cost.

        After the end: in all.
        """
        usage: SessionUsage = self._verb(messages.Usage())
        return usage

    def close(
        self,
        timeout: float = 2.0,
        *,
        after_playback: bool | float = False,
        after_turn: bool | float = False,
    ) -> None:
        """End the conversation, and wait until its threads and its socket are gone.

        Waits at most `timeout` seconds, then cuts what is left, and says in the log what that
        was. Closing a closed session does nothing.

        With `after_playback` it ends once the user has heard what the model is saying: see
        `messages.Close`. With `after_turn` the model finishes its turn first, tools and answer
        included. Both are waited for at most 60 seconds, or as many as you give in place of
        True, before those of `timeout` begin. A second `close()` ends it at once.

        Raises `otp.DeadlockError` from the `put` of a subscriber, and `DeadSessionError` in a
        child of fork: the session is the parent's.
        """
        timeout = seconds(timeout, "the timeout of close()")
        message = messages.Close(after_playback=after_playback, after_turn=after_turn)
        if self._is_the_parents:
            raise DeadSessionError(f"close: {self.shared.over}")
        warn_in_event_loop("close() of a session")
        if message.within:
            with contextlib.suppress(DeadSessionError, otp.CallTimeout):
                self.ask(message, timeout=message.within)
        close(self, self.shared, timeout)

    def begin_close(self, timeout: float = 2.0) -> otp.Answer[bool]:
        """Do what `close` does, without waiting for it.

        The answer is there when the session has ended, whoever waits for it; its thread is gone
        a moment later (`has_thread`).
        """
        timeout = seconds(timeout, "the timeout of close()")
        if self._is_the_parents:
            raise DeadSessionError(f"close: {self.shared.over}")
        return begin_close(self, self.shared, timeout)

    def attach(self, stream: Stream, *, only: Only = None) -> None:
        """Subscribe a stream at once, without waiting for the session. Raises `ConfigError`."""
        self.shared.subscribers.add(stream, only=only)

    def detach(self, stream: Stream) -> None:
        """Unsubscribe a stream at once."""
        self.shared.subscribers.remove(stream)

    @property
    def over(self) -> str:
        """Why nothing will come any more; empty as long as something may."""
        return self._is_over()

    @property
    def has_thread(self) -> bool:
        """Whether a thread of its own runs. That ends last, a moment after the session."""
        thread = self._process.thread
        return thread is not None and thread.is_alive()

    @property
    def connected(self) -> bool:
        """Whether there is a connection that the configured session can use."""
        gate = self.shared.gate
        return gate.open and not gate.is_down

    @property
    def playback_tracker(self) -> PlaybackTracker | None:
        """The tracker made by `ModelConfig.playback_tracker`, if there is one."""
        return self.shared.playback_tracker

    def __repr__(self) -> str:
        """Show what is known without asking: the session itself may be busy."""
        if self.connected:
            state = "connected"
        elif self.is_alive():
            state = self.shared.gate.reason  # also why there is no connection now
        else:
            state = self.shared.over or "the session has ended"
        names = "".join(f" {name!r}" for name in self._process.names if isinstance(name, str))
        return f"<Session{names} {self.actor_urn}: {state}>"

    __str__ = __repr__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if not self._is_the_parents:
            self.close()

    @property
    def _is_the_parents(self) -> bool:
        """Whether it belongs to the process that has forked this one."""
        return isinstance(self._process.reason, otp.ForkedError)

    if not TYPE_CHECKING:  # a checker must go on to find these mistakes itself

        def __getattr__(self, name):
            hint = "" if name.startswith("_") else hint_for_verb(name, dir(type(self)))
            raise AttributeError(f"a Session has no {name!r}" + (f": {hint}" if hint else ""))

    def _is_over(self) -> str:
        """Why nothing will come any more: it has ended, and nobody would start it again."""
        supervisor = self.shared.supervisor
        if self.is_alive() or (supervisor is not None and supervisor.is_alive()):
            return ""
        if self._is_the_parents:
            return self.shared.over
        return "the session and its supervisor have ended"

    def _verb(self, verb: messages.Verb) -> Any:
        return self.ask(verb, timeout=time_limit(self, verb))

    def _warn_of_ends(self, verb: messages.UpdateSession) -> None:
        if self.shared.warns_of_ends:
            with contextlib.suppress(ConfigError):  # the session raises it
                warn(endings(model=None, settings=merge_settings(None, verb.settings)))


def time_limit(session: Session, verb: messages.Verb) -> float:
    """Return how many seconds a verb waits for its answer."""
    own = HAND_OFF_TIMEOUT if type(verb) is messages.HandOff else CALL_TIMEOUT
    return own + (session.shared.outage_seconds or 0.0)  # it may wait for a connection


def _last_known(machine: Machine, verb: object) -> object:
    """Read what an ended session knew last.

    Nothing changes it any more, but for the thread of one that was killed in the middle of
    something: that is over in a moment.
    """
    for _ in range(LAST_TRIES):
        with contextlib.suppress(RuntimeError):  # it has changed while it was read
            return KNOWN[type(verb)](machine)
    return KNOWN[type(verb)](machine)

"""Turns what a caller sends and a session publishes into a recording. No I/O, no clock.

The agent's sound comes faster than it is played. The recorder plays it in its head: in
real time, from the moment it came, until it is interrupted. What was never heard is not
in the recording.
"""

from __future__ import annotations

from attrs import define, field, frozen

from realtime_actors import events
from realtime_actors.agent import Handoff as HandoffTool
from realtime_actors.audio import Resampler, decode_audio, sample_rate
from realtime_actors.recording.sound import Channel, audible_span
from realtime_actors.recording.timeline import (
    BargeIn,
    Handoff,
    Note,
    Problem,
    Timeline,
    ToolCall,
    Turn,
)

__all__ = ["Recorder", "Recording"]

RATE_HZ = 24_000
"""Of a recording, whatever the session's formats are."""


@frozen(kw_only=True)
class Recording:
    """A conversation that is over: what happened, and what both parties sounded like.

    `caller` and `agent` are PCM16 mono, equally long.
    """

    timeline: Timeline
    rate_hz: int
    caller: bytes = field(repr=False)
    agent: bytes = field(repr=False)


@define
class _Speech:
    """A turn of the agent, while it comes in and is played."""

    agent: str
    starts_at: float
    ends_at: float
    received: float = 0.0
    played: float | None = None
    """Seconds heard, when it was cut short."""
    latency_ms: int | None = None
    complete: bool = False


@define
class _CallerSpeech:
    """A turn of the caller, while it is spoken and recognised."""

    starts_at: float
    ends_at: float | None = None
    text: str = ""
    answered: bool = False
    complete: bool = False


class Recorder:
    """Records one conversation, in the formats of its session.

    `started_at` and every `now` are readings of one monotonic clock, in seconds.
    Everything has to come from one thread.
    """

    def __init__(
        self, started_at: float, *, input_format: str = "pcm16", output_format: str = "pcm16"
    ) -> None:
        self._started_at = started_at
        self._input_format, self._output_format = input_format, output_format
        self._caller = Channel(sample_rate(input_format))
        self._agent = Channel(sample_rate(output_format))
        self._first_frame_at: float | None = None
        self._lost_ms: list[tuple[int, int]] = []  # the server's time, and what is missing there
        self._agent_of_response: dict[str | None, str] = {}
        self._agent_name = "Agent"
        self._caller_speech: dict[str, _CallerSpeech] = {}
        self._speech: dict[str, _Speech] = {}
        self._text: dict[str, str] = {}
        self._open_calls: dict[str, tuple[float, events.ToolStartEvent]] = {}
        self._tool_calls: list[ToolCall] = []
        self._handoffs: list[Handoff] = []
        self._barge_ins: list[BargeIn] = []
        self._notes: list[Note] = []
        self._problems: list[Problem] = []

    @property
    def playing_until(self) -> float:
        """When all of the agent's sound that has come will have been heard, on your clock."""
        return self._started_at + self._agent.ends_at

    def sent(self, frame: bytes, now: float) -> None:
        """Record a frame that the caller has sent."""
        at = now - self._started_at
        start = self._caller.add(decode_audio(frame, self._input_format), at)
        if self._first_frame_at is None:
            self._first_frame_at = start

    def received(self, event: events.Event, now: float) -> None:
        """Record an event that the session has published."""
        at = now - self._started_at
        match event:
            case events.AudioEvent():
                self._play(event, at)
            case events.AudioInterruptedEvent(item_id=item_id, heard_ms=heard_ms):
                self._interrupted(item_id, heard_ms, at)
            case events.TranscriptDeltaEvent(item_id=item_id, delta=delta):
                self._text[item_id] = self._text.get(item_id, "") + delta
            case events.AudioEndEvent(item_id=item_id):
                if item_id in self._speech:
                    self._speech[item_id].complete = True
            case events.AgentStartEvent(agent=agent, response_id=response_id):
                self._agent_name = agent.name
                self._agent_of_response[response_id] = agent.name
            case events.ConnectionEvent(state="connected"):
                # Another connection counts from zero.
                self._first_frame_at, self._lost_ms = None, []
            case events.InputAudioDroppedEvent(dropped_ms=ms, audio_start_ms=start_ms):
                self._lost_ms.append((start_ms, ms))
                text = f"{ms} ms of what the caller said were lost: the network was too slow"
                self._problems.append(Problem(at=at, message=text))
            case events.SpeechStartedEvent(item_id=item_id, audio_start_ms=start_ms):
                speech = _CallerSpeech(self._sent_at(start_ms))
                self._caller_speech[item_id or f"caller-{len(self._caller_speech)}"] = speech
            case events.SpeechStoppedEvent(item_id=item_id, audio_end_ms=end_ms):
                self._caller_stopped(item_id, self._sent_at(end_ms))
            case events.InputTranscriptEvent(item_id=item_id, status=status, text=text):
                if item_id in self._caller_speech and status != "partial":
                    self._caller_speech[item_id].text = text
                    self._caller_speech[item_id].complete = True
            case events.ToolStartEvent(call_id=call_id):
                self._open_calls[call_id] = (at, event)
            case events.ToolEndEvent():
                self._tool_ended(event, at)
            case events.HandoffEvent(from_agent=old, to_agent=new):
                self._handoffs.append(Handoff(at=at, from_agent=old.name, to_agent=new.name))
            case events.ToolApprovalRequiredEvent(name=name):
                text = f"{name} waits for somebody to approve it"
                self._notes.append(Note(at=at, kind="approval", text=text))
            case events.GuardrailTrippedEvent(guardrail=name):
                text = f"{name} stopped what the agent was saying"
                self._notes.append(Note(at=at, kind="guardrail", text=text))
            case events.ErrorEvent(error=error):
                self._problems.append(Problem(at=at, message=error.message))
            case _:
                pass  # says nothing that can be heard or seen

    def timeline(self, now: float) -> Timeline:
        """What has happened by now."""
        turns = [self._caller_turn(*entry) for entry in self._caller_speech.items()]
        turns += [self._agent_turn(*entry) for entry in self._speech.items()]
        return Timeline(
            length=now - self._started_at,
            turns=tuple(sorted(turns, key=lambda turn: turn.starts_at)),
            tool_calls=tuple(self._tool_calls),
            handoffs=tuple(self._handoffs),
            barge_ins=tuple(self._barge_ins),
            notes=tuple(self._notes),
            problems=tuple(self._problems),
        )

    def finish(self, now: float) -> Recording:
        """The recording, up to `now`."""
        timeline = self.timeline(now)
        return Recording(
            timeline=timeline,
            rate_hz=RATE_HZ,
            caller=_sound(self._caller, timeline.length),
            agent=_sound(self._agent, timeline.length),
        )

    # The agent's side

    def _play(self, event: events.AudioEvent, at: float) -> None:
        pcm = decode_audio(event.audio.data, self._output_format)
        starts_at = self._agent.add(pcm, at)
        speech = self._speech.get(event.item_id)
        if speech is None:
            name = self._agent_of_response.get(event.response_id, self._agent_name)
            speech = self._speech[event.item_id] = _Speech(name, starts_at, starts_at)
            speech.latency_ms = self._latency_ms(starts_at)
        speech.received += len(pcm) / 2 / self._agent.rate_hz
        speech.ends_at = self._agent.ends_at

    def _interrupted(self, item_id: str | None, heard_ms: int, at: float) -> None:
        # Several items may be waiting to be played: all of them end here.
        for key, speech in self._speech.items():
            if speech.ends_at > at:
                speech.played = max(0.0, at - speech.starts_at)
                speech.ends_at = max(at, speech.starts_at)
                speech.complete = True
                if key == item_id:
                    self._barge_ins.append(BargeIn(at=at, turn_id=key, heard_ms=heard_ms))
        self._agent.cut(at)

    def _latency_ms(self, starts_at: float) -> int | None:
        """How long the caller has waited. The first sound answers; what follows doesn't."""
        waiting = [
            speech
            for speech in self._caller_speech.values()
            if speech.ends_at is not None and not speech.answered
        ]
        for speech in waiting:
            speech.answered = True
        ends = [speech.ends_at for speech in waiting if speech.ends_at is not None]
        return round((starts_at - max(ends)) * 1000) if ends else None

    def _agent_turn(self, item_id: str, speech: _Speech) -> Turn:
        heard = 1.0
        if speech.played is not None and speech.received:
            heard = min(1.0, speech.played / speech.received)
        return Turn(
            id=item_id,
            speaker="agent",
            name=speech.agent,
            starts_at=speech.starts_at,
            ends_at=speech.ends_at,
            text=self._text.get(item_id, "").strip(),
            latency_ms=speech.latency_ms,
            heard=heard,
            complete=speech.complete,
        )

    def _tool_ended(self, event: events.ToolEndEvent, at: float) -> None:
        if isinstance(event.tool, HandoffTool) and event.error is None:
            return  # its HandoffEvent tells the same
        started_at, start = self._open_calls.pop(event.call_id, (at, None))
        self._tool_calls.append(
            ToolCall(
                id=event.call_id,
                agent=event.agent.name,
                name=event.name,
                starts_at=started_at,
                ends_at=at,
                arguments=start.arguments if start else "",
                output=event.output,
                error=event.error,
            )
        )

    # The caller's side

    def _sent_at(self, audio_ms: int) -> float:
        """When that much audio had been sent: the server counts what it was sent, not time."""
        lost_ms = sum(ms for where_ms, ms in self._lost_ms if where_ms <= audio_ms)
        return (self._first_frame_at or 0.0) + (audio_ms + lost_ms) / 1000

    def _caller_stopped(self, item_id: str | None, stopped_at: float) -> None:
        key = item_id if item_id in self._caller_speech else next(reversed(self._caller_speech), "")
        speech = self._caller_speech.get(key or "")
        if speech is None:
            return
        # The server's bounds take in some silence on both sides, and servers differ in
        # how much. Measured from the sound itself, latencies can be compared.
        span = audible_span(
            self._caller.between(speech.starts_at, stopped_at), self._caller.rate_hz
        )
        start = speech.starts_at
        speech.starts_at, speech.ends_at = (
            (start + span[0], start + span[1]) if span else (start, stopped_at)
        )

    def _caller_turn(self, item_id: str, speech: _CallerSpeech) -> Turn:
        return Turn(
            id=item_id,
            speaker="caller",
            name="Caller",
            starts_at=speech.starts_at,
            ends_at=speech.ends_at if speech.ends_at is not None else speech.starts_at,
            text=speech.text.strip(),
            complete=speech.complete,
        )


def _sound(channel: Channel, length: float) -> bytes:
    resampler = Resampler(channel.rate_hz, RATE_HZ)
    sound = resampler.process(channel.between(0, length), last=True)
    # To the sample: both sides are equally long, whatever rate they came in.
    size = round(length * RATE_HZ) * 2
    return sound[:size].ljust(size, b"\0")

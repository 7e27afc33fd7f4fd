"""What the session is configured to be, and which changes the server still owes an answer.

Updates are acknowledged in the order in which they were sent: `session.updated` is for
the oldest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any, Final, TypeAlias

import attrs
from attrs import define, evolve, field, frozen

from realtime_actors.config import (
    DEFAULT_TRANSCRIPTION,
    OFF,
    SessionModelSettings,
    TurnDetectionConfig,
    merge_settings,
)
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import HandoffResolved, ResolvedAgent
from realtime_actors.core.outbox import Outbox
from realtime_actors.protocol import ClientEvent, ErrorDetail, RawClientEvent, SessionUpdate

__all__ = [
    "FREE",
    "Configuration",
    "ForBarrier",
    "ForCaller",
    "ForHandoff",
    "ForNobody",
    "ForStart",
    "Pending",
    "Purpose",
    "difference",
]

FREE: Final = "auto"
"""The `tool_choice` that leaves it to the model."""

ANSWER_WITHIN: Final = 8.0
"""Seconds for the server to answer a `session.update`. Ours: an update that is never
answered must not take the answer of the next one. Less than a caller waits."""


DOUBT_FOR: Final = 1.0
"""Seconds in which an update may still be answered after an error that names nothing. Ours: some
servers send one for each setting that they don't know, and then take the rest."""


@frozen
class ForStart:
    """The first update, with the whole configuration."""

    resolved: ResolvedAgent


@frozen
class ForCaller:
    """A caller asked for it and waits."""

    caller: object


@frozen
class ForHandoff:
    """It makes another agent the current one."""

    handoff: HandoffResolved


@frozen
class ForNobody:
    """Its answer is not waited for: a raw event, or the undoing of an unanswered handoff."""


@frozen
class ForBarrier:
    """It changes nothing: its answer says that all that was sent before it was answered."""


Purpose: TypeAlias = ForStart | ForCaller | ForHandoff | ForNobody | ForBarrier


@frozen(kw_only=True)
class Pending:
    """An update that was sent and is not answered."""

    event_id: str
    changes: SessionModelSettings
    purpose: Purpose
    doubt: ErrorDetail | None = None
    """An error that named nothing, and may be the answer."""

    @property
    def timer(self) -> Hashable:
        """The key of the timer that limits the wait for its answer."""
        return ("update", self.event_id)


@define(kw_only=True)
class Configuration:
    """The settings in force, and the updates under way."""

    outbox: Outbox
    base: SessionModelSettings
    """What the program configured, before any agent."""
    attached: bool = False
    """The server's session has settings of its own, those of a call or of a stored prompt:
    what the program did not ask for is not sent."""
    session_type: str = "realtime"
    """realtime, or transcription."""
    patient: bool = False
    """The user's speech stops no response. The server would not answer a turn that ends
    while it is speaking, so it is we who ask for the answers: it must not make any."""
    settings: SessionModelSettings = field(factory=SessionModelSettings)
    """What we know to be in force."""
    has_own_tools: bool = False
    """The program has put tools in place of the current agent's."""
    _pending: deque[Pending] = field(factory=deque)
    _interrupts: bool = False  # the server has stopped a response for the user's speech
    _denied: bool = False  # the server says that it transcribes nothing, as it was asked to
    gave_up: bool = False
    """An update was given up. Its answer may come yet, and be taken for another's."""

    def at_start(self, resolved: ResolvedAgent) -> SessionModelSettings:
        """Return all that is to be in force at first: what the program wrote comes first.

        Its tools are offered beside the agent's, unless it wrote that there are none.
        """
        own = SessionModelSettings(
            instructions=(
                resolved.instructions if resolved.has_instructions or not self.attached else None
            ),
            voice=resolved.agent.voice,
            tools=resolved.definitions if resolved.has_tools or not self.attached else None,
        )
        whole = merge_settings(own, self.base)
        return evolve(whole, tools=self._beside(own.tools)) if self.base.tools else whole

    def of_agent(self, resolved: ResolvedAgent, before: ResolvedAgent) -> SessionModelSettings:
        """Return the settings by which an agent takes the place of the one `before` it.

        They are its own. Where it has none they are the program's, but never those of the agent
        before it; nor is it told to call a tool that it hasn't got.
        """
        instructions = resolved.instructions if resolved.has_instructions else None
        if instructions is None:
            instructions = self.base.instructions
        if instructions is None and (before.has_instructions or not self.attached):
            instructions = resolved.instructions or ""
        has_tools = resolved.has_tools or before.has_tools or not self.attached
        tools = self._beside(resolved.definitions if has_tools else None)
        choice = self.base.tool_choice
        if choice is not None and not _can_choose(choice, tools or ()):
            choice = FREE
        return SessionModelSettings(
            instructions=instructions,
            voice=resolved.agent.voice or self.base.voice,
            tools=tools,
            tool_choice=choice,
        )

    def _beside(
        self, own: tuple[Mapping[str, Any], ...] | None
    ) -> tuple[Mapping[str, Any], ...] | None:
        """Return an agent's tools beside those of the program, which win by their names."""
        if not self.base.tools:
            return own
        names = {_name_of(tool) for tool in self.base.tools}
        return (*self.base.tools, *(tool for tool in own or () if _name_of(tool) not in names))

    def changes_to(self, wanted: SessionModelSettings) -> SessionModelSettings:
        """What has to be sent so that `wanted` is in force."""
        # What is under way, or was given up and comes late, may change what is in force:
        # then nothing can be left out.
        in_doubt = self._pending or self.gave_up
        return wanted if in_doubt else difference(self.settings, wanted)

    def update(self, changes: SessionModelSettings, purpose: Purpose) -> None:
        """Send a change."""
        pending = Pending(event_id=self.outbox.new_id(), changes=changes, purpose=purpose)
        if isinstance(purpose, ForCaller) and changes.tools is not None:
            self.has_own_tools = True
        detects = changes.turn_detection is not None or isinstance(purpose, ForStart)
        self._expect(pending, self._event(changes, pending.event_id, detects=detects))

    def whole(self, agent: SessionModelSettings) -> SessionModelSettings:
        """All that is to be in force on a connection of its own, with an agent's settings."""
        in_force = merge_settings(self.base, self.settings)
        # The model is in the address that is connected to, and can't be changed.
        return evolve(merge_settings(in_force, agent), model=None)

    def first(self, whole: SessionModelSettings) -> SessionUpdate:
        """The first update of another connection. It is not expected to be answered here."""
        return self._event(whole, self.outbox.new_id(), detects=True)

    def moved(self, told: SessionModelSettings, answer: SessionModelSettings) -> None:
        """Another connection is in use. It was told this, and answered that.

        What the one before it has not answered is asked again.
        """
        unanswered = self._take_pending()
        self.settings = told
        self.told(answer)
        for pending in unanswered:
            self.outbox.cancel_timer(pending.timer)
            if not isinstance(pending.purpose, ForBarrier):
                self.update(pending.changes, pending.purpose)

    def went_down(self) -> None:
        """The connection is lost. What it has not answered is asked of the next one (`moved`)."""
        for pending in self._pending:
            self.outbox.cancel_timer(pending.timer)

    def send_raw(self, payload: Mapping[str, object]) -> None:
        """Send a `session.update` as the program wrote it, and expect its answer."""
        session = payload.get("session")
        self.has_own_tools |= isinstance(session, Mapping) and "tools" in session
        event_id = payload.get("event_id")
        if not isinstance(event_id, str):
            event_id = self.outbox.new_id()
        unknown = SessionModelSettings()  # the answer will say what it changed
        pending = Pending(event_id=event_id, changes=unknown, purpose=ForNobody())
        self._expect(pending, RawClientEvent(payload={**payload, "event_id": event_id}))

    def acknowledged(self, effective: SessionModelSettings) -> Pending | None:
        """The server answered with what is in force now. Gives the update it was for."""
        pending = None
        if self._pending and not self._is_late(effective):
            pending = self._pending.popleft()
            self.settings = merge_settings(self.settings, pending.changes)
            if pending.changes.turn_detection is not None:
                self._interrupts = False
        self.told(effective)
        return pending

    def _is_late(self, effective: SessionModelSettings) -> bool:
        """Whether an answer is that to an update which was given up: it says another thing."""
        wanted, said = self._pending[0].changes.instructions, effective.instructions
        return self.gave_up and None not in (wanted, said) and wanted != said

    def told(self, effective: SessionModelSettings) -> None:
        """The server says what is in force. It may leave out what it doesn't know."""
        # Not what we have no name for: it is the server's, not ours to send again. And some
        # say null of what they do all the same: nothing is off that was not switched off.
        claimed = [
            name
            for name in ("turn_detection", "input_audio_transcription")
            if getattr(effective, name) is OFF and getattr(self.settings, name) is not OFF
        ]
        if effective.input_audio_transcription is not None:
            self._denied = "input_audio_transcription" in claimed
        believed = evolve(effective, extra={}, **dict.fromkeys(claimed))
        self.settings = merge_settings(self.settings, believed)

    def keep(self, pending: Pending) -> None:
        """Let what the program changed survive the next handoff."""
        changes = evolve(pending.changes, instructions=None, tools=None)
        self.base = merge_settings(self.base, changes)

    def refused(self, event_id: str | None) -> Pending | None:
        """The server answered with an error. Gives the update that it is about, if any."""
        for pending in self._pending:
            if event_id == pending.event_id:
                self._pending.remove(pending)
                return pending
        return None

    def doubted(self, event_id: str | None, error: ErrorDetail) -> None:
        """An error that names nothing may be the answer to this update, or only be a remark.

        It counts as the answer unless another one comes at once.
        """
        for at, pending in enumerate(self._pending):
            if pending.event_id == event_id:
                self._pending[at] = evolve(pending, doubt=error)
                self.outbox.set_timer(pending.timer, DOUBT_FOR)
                return

    def without_default(self, pending: Pending, error: ErrorDetail) -> SessionModelSettings | None:
        """Give the first update without transcription, if that is what the server refused.

        Only where it is our default: a server may have no model of that name. What somebody
        wrote is not left out.
        """
        is_default = pending.changes.input_audio_transcription == DEFAULT_TRANSCRIPTION
        if not is_default or "transcription" not in f"{error.param} {error.message}":
            return None
        self.base = evolve(self.base, input_audio_transcription=None)
        return evolve(pending.changes, input_audio_transcription=None)

    def give_up(self, event_id: str) -> Pending | None:
        """Wait no longer for an answer."""
        for pending in self._pending:
            if pending.event_id == event_id:
                self._pending.remove(pending)
                self.gave_up = True
                return pending
        return None

    def lost(self, loss: Loss) -> None:
        """The connection is gone: no update is answered any more."""
        for pending in self._take_pending():
            self.outbox.cancel_timer(pending.timer)
            if isinstance(pending.purpose, ForCaller):
                self.outbox.refuse(pending.purpose.caller, loss.error)

    def _take_pending(self) -> tuple[Pending, ...]:
        """Forget the updates that are not answered. Return them."""
        pending = tuple(self._pending)
        self._pending.clear()
        self.gave_up = False
        return pending

    @property
    def awaited(self) -> frozenset[str]:
        """The names of the updates that are not answered."""
        return frozenset(pending.event_id for pending in self._pending)

    @property
    def transcribes(self) -> bool | None:
        """Whether the server writes down what the user says. None: that is not sure."""
        transcription = self.settings.input_audio_transcription
        if transcription is OFF:
            return False
        return None if transcription is None or self._denied else True

    @property
    def finds_no_turns(self) -> bool:
        """The program says when the user's turns are over."""
        return self.settings.turn_detection is OFF

    @property
    def interrupts_on_speech(self) -> bool:
        """Whether the server stops a response when the user speaks."""
        if self.patient:
            return False
        turns = self.settings.turn_detection
        if self._interrupts or turns is None:
            return True
        return turns is not OFF and turns.interrupt_response is not False

    def interrupted(self) -> None:
        """The server has stopped a response for the user's speech: it will again."""
        self._interrupts = True

    @property
    def server_answers_turns(self) -> bool:
        """Whether the server makes a response to each turn that it finds."""
        turns = self.settings.turn_detection
        if self.patient or turns is OFF:
            return False
        return turns is None or turns.create_response is not False

    @property
    def answers_turns(self) -> bool:
        """Whether we ask for the response to a turn that the server has found."""
        wanted = self.base.turn_detection
        if not self.patient or wanted is OFF:
            return False
        return wanted is None or wanted.create_response is not False

    def _event(
        self, changes: SessionModelSettings, event_id: str, *, detects: bool
    ) -> SessionUpdate:
        if self.patient and detects:
            changes = _without_answers(changes)
        return SessionUpdate(session=changes, session_type=self.session_type, event_id=event_id)

    def _expect(self, pending: Pending, event: ClientEvent) -> None:
        self._pending.append(pending)
        self.outbox.send(event)
        # A start has a time limit of its own; and without a connection nothing can be answered.
        if not isinstance(pending.purpose, ForStart) and not self.outbox.keeps_back:
            self.outbox.set_timer(pending.timer, ANSWER_WITHIN)


def _name_of(tool: Mapping[str, Any]) -> tuple[str, str]:
    return str(tool.get("type")), str(tool.get("name") or tool.get("server_label"))


def _can_choose(choice: str | Mapping[str, Any], tools: tuple[Mapping[str, Any], ...]) -> bool:
    match choice:
        case {"type": "mcp", "server_label": label}:
            return any(tool.get("server_label") == label for tool in tools)
        case {"name": name}:
            return any(tool.get("name") == name for tool in tools)
        case "required":
            return bool(tools)
        case _:
            return True


def _without_answers(settings: SessionModelSettings) -> SessionModelSettings:
    detection = settings.turn_detection
    if detection is OFF:
        return settings
    detection = evolve(
        detection or TurnDetectionConfig(), create_response=False, interrupt_response=False
    )
    return evolve(settings, turn_detection=detection)


def difference(before: SessionModelSettings, after: SessionModelSettings) -> SessionModelSettings:
    """What `after` sets and `before` does not set to the same."""
    changes = {
        each.name: getattr(after, each.name)
        for each in attrs.fields(SessionModelSettings)
        if getattr(after, each.name) not in (None, getattr(before, each.name))
    }
    return SessionModelSettings(**changes)

"""What the program asks a live session to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from attrs import define

from realtime_actors import messages
from realtime_actors.agent import AnyTool
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.sending import check_sendable
from realtime_actors.core.responses.wishes import PLAIN, Wish
from realtime_actors.core.settings import Configuration, ForCaller
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.errors import ConfigError
from realtime_actors.items import items_from_input, message_from_input
from realtime_actors.protocol import (
    ClientEvent,
    ConversationItemCreate,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    RawClientEvent,
    ResponseCreate,
    ResponseSettings,
    SessionUpdate,
)

__all__ = ["Requests"]

C = TypeVar("C", bound=ClientEvent)


@define
class Requests:
    """From a verb to what goes out for it.

    Raises `ConfigError` for what can't be, `LocalProtocolError` for what can't be now.
    """

    outbox: Outbox
    configuration: Configuration
    responses: ResponseMachine
    rounds: Rounds
    speech: Speech
    editing: Editing
    approvals: Approvals
    handoffs: Handoffs
    max_message_bytes: int

    def send(self, verb: messages.Verb, caller: object) -> None:
        """Do what `caller` asks. An update and a handoff are answered later, all else at once."""
        answer: object = None
        match verb:
            case messages.UpdateSession(settings=settings):
                self._update(settings, caller)
                return
            case messages.HandOff():
                self._check_responds()
                self.handoffs.ask(verb, caller, self.editing.history.items)
                return
            case messages.SendMessage(message=message):
                self._check_responds()
                item = self.editing.named(message_from_input(message))
                self.editing.check_calls([item])
                create = self._checked(ConversationItemCreate(item=item))
                self._want()
                self.outbox.send(create)
            case messages.CommitAudio():
                self.outbox.send(InputAudioBufferCommit())
            case messages.ClearAudio():
                self.outbox.send(InputAudioBufferClear())
            case messages.CreateResponse():
                self._check_responds()
                self._create_response(verb)
            case messages.SendRawEvent(event=event):
                self._raw(event)
            case messages.Approve(call_id=call_id, always=always):
                self.approvals.approve(call_id, always=always)
            case messages.Reject(call_id=call_id, reason=reason, always=always):
                self.approvals.reject(call_id, reason, always=always)
            case messages.AddItem(item=item, after=after):
                made = message_from_input(item)
                self._checked(ConversationItemCreate(item=made))
                answer = self.editing.add(made, after)
            case messages.DeleteItem(item_id=item_id):
                self.editing.delete(item_id)
            case messages.TruncateItem(item_id=item_id, content_index=index):
                self.editing.truncate(item_id, index, verb.audio_end_ms)
            case messages.RetrieveItem(item_id=item_id):
                self.editing.retrieve(item_id)
            case messages.UpdateHistory(items=items):
                wanted = items_from_input(items)
                for item in wanted:
                    self._checked(ConversationItemCreate(item=item))
                self.editing.update(wanted)
            case _:
                raise ConfigError(f"a session does not know {type(verb).__name__}")
        self.outbox.answer(caller, answer)

    def speaks(self, verb: messages.Verb) -> bool:
        """Return whether a verb says something, or asks for something to be said."""
        match verb:
            case messages.SendMessage() | messages.CreateResponse():
                return True
            case messages.SendRawEvent(event=event):
                return event.get("type") == "response.create"
            case _:
                return False

    def _create_response(self, verb: messages.CreateResponse) -> None:
        settings = ResponseSettings(
            instructions=verb.instructions,
            modalities=_tuple(
                verb.output_modalities if verb.modalities is None else verb.modalities
            ),
            tools=_tools(verb.tools),
            tool_choice=verb.tool_choice,
            metadata=verb.metadata,
            conversation=verb.conversation,
            input=verb.input,
            max_output_tokens=verb.max_output_tokens,
            extra=verb.extra,
        )
        plain = settings == ResponseSettings()
        create = self._checked(ResponseCreate(response=None if plain else settings))
        if verb.conversation == "none":
            self.responses.want_out_of_band(create, is_spoken=self._is_spoken(settings.modalities))
        else:
            self._want(create, interruptible=verb.interruptible)

    def _raw(self, event: Mapping[str, object]) -> None:
        kind = event.get("type") if isinstance(event, Mapping) else None
        if not isinstance(kind, str) or not kind:
            raise ConfigError("a raw event needs a 'type', for example {'type': 'response.create'}")
        raw = self._checked(RawClientEvent(payload=event))
        if kind == "session.update":
            self.configuration.send_raw(event)
        elif kind == "conversation.item.create":
            self.outbox.send(self.editing.add_raw(event))
        elif kind == "response.create":
            self._raw_response(event, raw)
        else:
            self.outbox.send(raw)

    def _raw_response(self, event: Mapping[str, object], raw: RawClientEvent) -> None:
        self._check_responds()
        response = event.get("response")
        if isinstance(response, Mapping) and response.get("conversation") == "none":
            modalities = response.get("output_modalities") or response.get("modalities")
            self.responses.want_out_of_band(raw, is_spoken=self._is_spoken(modalities))
        else:
            self._want(raw)

    def _checked(self, event: C) -> C:
        return check_sendable(event, self.max_message_bytes)

    def _want(self, wish: Wish = PLAIN, *, interruptible: bool = True) -> None:
        self.rounds.start_anew()
        self.responses.want(wish, interruptible=interruptible)

    def _is_spoken(self, modalities: object) -> bool:
        """Return whether a response of these modalities (None: the session's) is to be heard."""
        if modalities is None:
            modalities = self.configuration.settings.modalities
        return not isinstance(modalities, Sequence) or "audio" in modalities

    def _check_responds(self) -> None:
        if self.configuration.session_type == "transcription":
            raise ConfigError("a transcription session has no responses")

    def _update(self, given: SessionModelSettings | Mapping[str, object], caller: object) -> None:
        changes = SessionModelSettings.from_dict(given) if isinstance(given, Mapping) else given
        if not isinstance(changes, SessionModelSettings):
            raise ConfigError(f"settings are SessionModelSettings, or a dict, not {given!r}")
        self._checked(SessionUpdate(session=changes))
        if changes.model is not None:
            raise ConfigError("the model of a running session cannot be changed: start a new one")
        voice = self.configuration.settings.voice
        if self.speech.started and changes.voice not in (None, voice):
            raise ConfigError(
                f"the voice cannot be changed to {changes.voice!r} once the model has spoken"
                f" (it is {voice!r}): set it before, or start a new session"
            )
        self.configuration.update(changes, ForCaller(caller))


def _tuple(words: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(words)


def _tools(
    given: Sequence[Mapping[str, object] | AnyTool] | None,
) -> tuple[Mapping[str, object], ...] | None:
    if given is None:
        return None
    return tuple(each if isinstance(each, Mapping) else each.to_wire() for each in given)

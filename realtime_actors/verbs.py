"""The verbs of a session as functions: `send_message(session, "Hi")`.

Each takes a `Session`, or the name that one is registered under, and does what the method
of the same name does; `messages.VERBS` is the list of them. Only `session.usage()` has no
function: `realtime_actors.usage` is a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from realtime_actors import messages
from realtime_actors.errors import ConfigError

if TYPE_CHECKING:
    from realtime_actors import otp
    from realtime_actors.agent import Agent, Handoff
    from realtime_actors.config import SessionModelSettings
    from realtime_actors.items import Item
    from realtime_actors.session import Session

__all__ = [
    "add_item",
    "approve",
    "clear_audio",
    "close",
    "commit_audio",
    "create_response",
    "current_agent",
    "delete_item",
    "hand_off",
    "history",
    "interrupt",
    "reject",
    "retrieve_item",
    "send_audio",
    "send_message",
    "send_raw_event",
    "subscribe",
    "truncate_item",
    "unsubscribe",
    "update_history",
    "update_session",
]


def send_audio(session: Session | otp.Name, audio: bytes, *, commit: bool = False) -> None:
    """Send audio of the user. See `Session.send_audio`."""
    _session(session).send_audio(audio, commit=commit)


def send_message(session: Session | otp.Name, message: str | Mapping[str, object] | Item) -> None:
    """Add a message of the user and ask for a response. See `Session.send_message`."""
    _session(session).send_message(message)


def create_response(
    session: Session | otp.Name, **overrides: Unpack[messages.ResponseOptions]
) -> None:
    """Ask for a response. See `Session.create_response`."""
    _session(session).create_response(**overrides)


def send_raw_event(session: Session | otp.Name, event: Mapping[str, object]) -> None:
    """Send a client event as it is. See `Session.send_raw_event`."""
    _session(session).send_raw_event(event)


def commit_audio(session: Session | otp.Name) -> None:
    """End the user's turn. See `Session.commit_audio`."""
    _session(session).commit_audio()


def clear_audio(session: Session | otp.Name) -> None:
    """Throw away the audio that is not committed. See `Session.clear_audio`."""
    _session(session).clear_audio()


def add_item(
    session: Session | otp.Name,
    item: str | Mapping[str, object] | Item,
    *,
    after: str | None = None,
) -> str:
    """Add an item to the conversation, and return its id. See `Session.add_item`."""
    return _session(session).add_item(item, after=after)


def delete_item(session: Session | otp.Name, item_id: str) -> None:
    """Take an item out of the conversation. See `Session.delete_item`."""
    _session(session).delete_item(item_id)


def truncate_item(
    session: Session | otp.Name, item_id: str, audio_end_ms: int, *, content_index: int = 0
) -> None:
    """Cut what the model said. See `Session.truncate_item`."""
    _session(session).truncate_item(item_id, audio_end_ms, content_index=content_index)


def retrieve_item(session: Session | otp.Name, item_id: str) -> None:
    """Ask the server for all that it has of an item. See `Session.retrieve_item`."""
    _session(session).retrieve_item(item_id)


def update_history(
    session: Session | otp.Name, items: Sequence[Mapping[str, object] | Item]
) -> None:
    """Make the conversation these items. See `Session.update_history`."""
    _session(session).update_history(items)


def interrupt(session: Session | otp.Name) -> None:
    """Stop the model's speech now. See `Session.interrupt`."""
    _session(session).interrupt()


def approve(session: Session | otp.Name, call_id: str, *, always: bool = False) -> None:
    """Let a call run that waits for approval. See `Session.approve`."""
    _session(session).approve(call_id, always=always)


def reject(
    session: Session | otp.Name, call_id: str, *, reason: str | None = None, always: bool = False
) -> None:
    """Refuse a call that waits for approval. See `Session.reject`."""
    _session(session).reject(call_id, reason=reason, always=always)


def update_session(
    session: Session | otp.Name, settings: SessionModelSettings | Mapping[str, object]
) -> None:
    """Change settings and wait for the server. See `Session.update_session`."""
    _session(session).update_session(settings)


def hand_off(session: Session | otp.Name, agent: Agent | Handoff) -> None:
    """Make another agent the current one. See `Session.hand_off`."""
    _session(session).hand_off(agent)


def subscribe(
    session: Session | otp.Name,
    subscriber: Any,
    *,
    only: Sequence[type[Any]] | type[Any] | None = None,
    raw: bool = False,
    direct: bool = False,
) -> None:
    """Hand events to an actor or a queue. See `Session.subscribe`.

    With `direct`, audio comes sooner, from the thread that reads all sockets.
    """
    _session(session).subscribe(subscriber, only=only, raw=raw, direct=direct)


def unsubscribe(session: Session | otp.Name, subscriber: Any) -> None:
    """Hand no more events to a subscriber. See `Session.unsubscribe`."""
    _session(session).unsubscribe(subscriber)


def history(session: Session | otp.Name) -> Sequence[Item]:
    """The conversation so far. See `Session.history`."""
    return _session(session).history()


def current_agent(session: Session | otp.Name) -> Agent:
    """The agent that is speaking to the user. See `Session.current_agent`."""
    return _session(session).current_agent()


def close(
    session: Session | otp.Name,
    timeout: float = 2.0,
    *,
    after_playback: bool | float = False,
    after_turn: bool | float = False,
) -> None:
    """End the conversation. See `Session.close`."""
    _session(session).close(timeout, after_playback=after_playback, after_turn=after_turn)


def _session(session: Session | otp.Name) -> Session:
    from realtime_actors import otp
    from realtime_actors.session import Session

    if isinstance(session, Session):
        return session
    found = otp.whereis(session)
    if not isinstance(found, Session):
        raise ConfigError(f"{session!r} is neither a session nor the name of one")
    return found

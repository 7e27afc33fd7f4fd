"""What a handle is good for when its session has ended."""

from __future__ import annotations

import copy
import pickle
import queue
from collections.abc import Callable

import pykka
import pytest

import realtime_actors as ra
from realtime_actors import messages
from realtime_actors.items import user_message
from realtime_actors.session import DeadSessionError
from realtime_actors.testing import ScriptedTransport

VERBS: dict[str, Callable[[ra.Session], object]] = {
    "add_item": lambda session: session.add_item("too late"),
    "approve": lambda session: session.approve("call1"),
    "ask": lambda session: session.ask(messages.SendMessage("too late")),
    "ask, not blocking": lambda session: session.ask(messages.Interrupt(), block=False).get(),
    "clear_audio": lambda session: session.clear_audio(),
    "commit_audio": lambda session: session.commit_audio(),
    "create_response": lambda session: session.create_response(),
    "delete_item": lambda session: session.delete_item("item1"),
    "events": lambda session: session.events(),
    "interrupt": lambda session: session.interrupt(),
    "proxy": lambda session: session.proxy().interrupt().get(),
    "reject": lambda session: session.reject("call1"),
    "retrieve_item": lambda session: session.retrieve_item("item1"),
    "send_audio": lambda session: session.send_audio(bytes(96)),
    "send_message": lambda session: session.send_message("too late"),
    "send_raw_event": lambda session: session.send_raw_event({"type": "response.cancel"}),
    "subscribe": lambda session: session.subscribe(queue.SimpleQueue()),
    "transcripts": lambda session: session.transcripts(),
    "truncate_item": lambda session: session.truncate_item("item1", 100),
    "unsubscribe": lambda session: session.unsubscribe(queue.SimpleQueue()),
    "update_history": lambda session: session.update_history([user_message("too late")]),
    "update_session": lambda session: session.update_session({"voice": "ash"}),
}
READABLE = {"close", "current_agent", "dropped", "history", "transcript", "usage"}
"""What still works, or does nothing."""


@pytest.fixture
def ended() -> ra.Session:
    with ra.run(ra.agent(), transport=ScriptedTransport(strict=False)) as session:
        return session


def test_every_verb_of_the_handle_is_tried_here():
    verbs = {name for name, each in vars(ra.Session).items() if callable(each) and name[0] != "_"}
    assert verbs - VERBS.keys() - READABLE == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_raises_one_class_which_is_a_dead_actor_too(verb: str, ended: ra.Session):
    if verb == "proxy":  # pykka's own, and it looks first
        with pytest.raises(pykka.ActorDeadError):
            VERBS[verb](ended)
        return
    with pytest.raises(ra.SessionClosedError, match="the session was closed") as raised:
        VERBS[verb](ended)
    assert type(raised.value) is DeadSessionError
    assert isinstance(raised.value, pykka.ActorDeadError)


def test_the_error_can_be_told_to_another_process(ended: ra.Session):
    with pytest.raises(ra.SessionClosedError) as raised:
        ended.send_message("too late")

    again = pickle.loads(pickle.dumps(raised.value))

    assert (type(again), str(again)) == (DeadSessionError, str(raised.value))


def test_a_session_is_copied_as_itself_and_not_pickled(ended: ra.Session):
    assert copy.deepcopy([ended]) == [ended]
    assert copy.deepcopy([ended])[0] is ended
    with pytest.raises(TypeError, match="a Session can't be pickled"):
        pickle.dumps(ended)

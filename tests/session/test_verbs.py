"""Every verb in its four forms: method, function, message, and the method of the `proxy()`."""

from __future__ import annotations

import inspect
import queue
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import messages, verbs
from realtime_actors.testing import ScriptedTransport

ARGUMENTS: Mapping[str, tuple[tuple[object, ...], dict[str, object]]] = {
    "send_message": (("Hi",), {}),
    "send_audio": ((bytes(960),), {"commit": True}),
    "commit_audio": ((), {}),
    "clear_audio": ((), {}),
    "create_response": ((), {"instructions": "Be brief.", "metadata": {"for": "test"}}),
    "send_raw_event": (({"type": "input_audio_buffer.clear"},), {}),
    "interrupt": ((), {}),
    "approve": (("c1",), {"always": True}),
    "reject": (("c1",), {"reason": "no", "always": True}),
    "update_session": (({"voice": "cedar"},), {}),
    "hand_off": ((ra.agent(name="Desk"),), {}),
    "add_item": (("Hi",), {"after": "root"}),
    "delete_item": (("m1",), {}),
    "truncate_item": (("m1", 20), {"content_index": 0}),
    "retrieve_item": (("m1",), {}),
    "update_history": (([],), {}),
    "subscribe": ((queue.SimpleQueue(),), {"raw": True}),
    "unsubscribe": ((queue.SimpleQueue(),), {}),
    "history": ((), {}),
    "usage": ((), {}),
    "current_agent": ((), {}),
    "close": ((), {}),
}
"""Something to say with each verb."""

WAIT_FOR_THE_SERVER = {"update_session", "hand_off"}
"""What the method and the function wait for is not answered by a script that is silent."""


def method(session: ra.Session, name: str) -> Any:
    args, options = ARGUMENTS[name]
    return getattr(session, name)(*args, **options)


def function(session: ra.Session, name: str) -> Any:
    args, options = ARGUMENTS[name]
    return getattr(ra, name)(session, *args, **options)


def message(session: ra.Session, name: str) -> Any:
    args, options = ARGUMENTS[name]
    verb: Any = messages.VERBS[name]
    return session.ask(verb(*args, **options), timeout=5)


def proxy(session: ra.Session, name: str) -> Any:
    args, options = ARGUMENTS[name]
    return getattr(session.proxy(), name)(*args, **options).get(timeout=5)


def done(name: str, form: Callable[[ra.Session, str], Any]) -> tuple[object, list[dict[str, Any]]]:
    """Use one form of a verb; give what came of it, and what was sent, without made-up ids."""
    script = ScriptedTransport(strict=False)
    model_config = {"url": "ws://127.0.0.1:1/"}
    with ra.run(ra.agent(), transport=script, model_config=model_config) as session:
        before = len(script.sent)
        try:
            gave: object = form(session, name)
        except (ra.RealtimeError, ValueError) as error:
            gave = (type(error).__name__, str(error))
        sent = script.sent[before:]
    return (type(gave) if name == "add_item" else gave), [without_ids(event) for event in sent]


def without_ids(event: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the ids that each session makes up."""
    item = {key: value for key, value in event.get("item", {}).items() if key != "id"}
    rest = {key: value for key, value in event.items() if key not in ("event_id", "item")}
    return {**rest, "item": item}


def test_there_is_something_to_say_with_every_verb() -> None:
    assert ARGUMENTS.keys() == messages.VERBS.keys()


@pytest.mark.parametrize("name", messages.VERBS)
def test_all_forms_of_a_verb_take_the_same(name: str) -> None:
    of_method = [*inspect.signature(getattr(ra.Session, name)).parameters.values()][1:]
    of_message = [*inspect.signature(messages.VERBS[name]).parameters]
    overrides = inspect.get_annotations(messages.ResponseOptions)
    # The message is answered when the end begins: there is no waiting that needs a time limit.
    named = [each.name for each in of_method if (name, each.name) != ("close", "timeout")]
    assert of_message == ([*overrides] if name == "create_response" else named)
    if name != "usage":  # that is a module's name
        of_function = [*inspect.signature(getattr(verbs, name)).parameters.values()][1:]
        assert [(each.name, each.kind, each.default) for each in of_function] == [
            (each.name, each.kind, each.default) for each in of_method
        ]
        assert name in ra.__all__
        assert getattr(ra, name) is getattr(verbs, name)


@pytest.mark.parametrize("name", sorted(messages.VERBS.keys() - WAIT_FOR_THE_SERVER))
def test_all_forms_of_a_verb_do_the_same(name: str) -> None:
    forms = [method, message, proxy] if name == "usage" else [method, function, message, proxy]

    first, *others = [done(name, form) for form in forms]

    for other in others:
        assert other == first


@pytest.mark.parametrize("name", sorted(WAIT_FOR_THE_SERVER))
def test_a_proxy_asks_and_does_not_wait_for_the_server(name: str) -> None:
    gave, sent = done(name, proxy)

    assert gave is None
    assert [event["type"] for event in sent] == ["session.update"]

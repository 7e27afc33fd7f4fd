"""Refs and the like can be copied, as themselves; errors can go to another process."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from attrs import asdict, frozen

from realtime_actors import errors, otp
from realtime_actors.session import handle as session
from tests.otp.actors import SOON, Counter, Server, down_of


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


def handles(client: otp.Client) -> Iterator[Any]:
    server = otp.start(Server)
    yield from (server, client.ref, otp.monitor(server), otp.Registry(), otp.PubSub())
    yield otp.send_after(server, "never", 1000.0)
    yield otp.Task.start(lambda: None)
    yield server.ask(lambda server, from_, state: otp.Reply(from_, state))
    supervisor = otp.start(otp.Supervisor)
    yield supervisor
    for each in (server, supervisor):
        otp.stop(each)


def test_a_copy_of_a_handle_is_the_handle_itself(client):
    for handle in handles(client):
        assert copy.copy(handle) is handle
        assert copy.deepcopy({"in": [handle]})["in"][0] is handle


def test_a_handle_can_be_a_member_of_what_is_copied(client):
    @frozen
    class Settings:
        listener: Any

    listener = otp.start(Server)
    assert asdict(copy.deepcopy(Settings(listener))) == {"listener": listener}
    otp.stop(listener)


def test_pickling_a_handle_says_what_to_give_instead(client):
    for handle in handles(client):
        with pytest.raises(
            TypeError, match=r"can't be pickled: .* Give another process plain data"
        ):
            pickle.dumps(("a message", handle))


WORDS = {
    "call": otp.InCall("GenServer.call", "a name", None, 5.0),
    "cause": errors.StartCause.NETWORK,
    "status": 404,
    "until": 1_800_000_000.0,
    "code": "bad",
    "reason": "odd",
}


def an(error: type[BaseException]) -> BaseException:
    """One of these errors, with all that it may have."""
    positional: list[Any] = ["a message"]
    named: dict[str, Any] = {}
    if "__init__" in vars(error):
        parameters = [*inspect.signature(error).parameters.values()]
        given = {each.name: WORDS.get(each.name, each.name) for each in parameters}
        named = {
            each.name: given[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY
        }
        positional = [value for name, value in given.items() if name not in named]
    return error(*positional, **named)


def every_error() -> Iterator[type[BaseException]]:
    for module in (errors, otp, session):
        for name in module.__all__:
            offered = getattr(module, name)
            if isinstance(offered, type) and issubclass(offered, BaseException):
                yield offered


@pytest.mark.parametrize("error", list(every_error()))
def test_an_error_comes_out_of_a_pickle_as_it_was(error: type[BaseException]):
    made = an(error)
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is error
    assert (str(again), again.args, vars(again)) == (str(made), made.args, vars(made))


def test_a_failed_call_can_be_told_to_another_process(client):
    server: Any = otp.start(Counter)
    otp.stop(server)
    with pytest.raises(otp.CallExit) as dead:
        otp.call(server, "get")

    again = pickle.loads(pickle.dumps(dead.value))

    assert (again.reason, again.call.operation) == ("noproc", "GenServer.call")
    assert again.call.target == str(server)
    assert copy.deepcopy(dead.value.call).target is server


REFUSED = ValueError("refused")


def frames(error: BaseException) -> list[str]:
    found, traceback = [], error.__traceback__
    while traceback is not None:
        found.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return found


def refuse(server: Any, from_: Any, state: Any) -> otp.Reply:
    return otp.Reply(otp.Failed(REFUSED), state)


def fail(server: Any, from_: Any, state: Any) -> otp.Reply:
    def in_the_server() -> NoReturn:
        raise REFUSED

    try:
        in_the_server()
    except ValueError as error:
        return otp.Reply(otp.Failed(error), state)


@pytest.mark.parametrize("answer", [refuse, fail])
def test_one_error_for_many_calls_has_the_traceback_of_the_last_one(answer):
    server: Any = otp.start(Server)
    seen = []
    for _ in range(5):
        with pytest.raises(ValueError, match="refused") as caught:
            server.ask(answer)
        seen.append(frames(caught.value))
    otp.stop(server)
    assert seen == [seen[0]] * 5
    assert ("in_the_server" in seen[0]) is (answer is fail)
    REFUSED.__traceback__ = None


def test_a_future_that_is_asked_again_raises_the_same(client):
    server: Any = otp.start(Server)
    future = server.ask(refuse, block=False)
    seen = []
    for _ in range(3):
        with pytest.raises(ValueError, match="refused") as caught:
            future.get(timeout=SOON)
        seen.append(len(frames(caught.value)))
    otp.stop(server)
    assert down_of(server, client).reason == "noproc"
    assert seen == [seen[0]] * 3

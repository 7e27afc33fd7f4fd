"""Registries and topics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors import otp
from tests.otp.actors import SOON, Counter, Server, down_of


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


def doing(deed: Any) -> Any:
    """A message: do this, in the server."""
    return lambda server, from_, state: otp.Reply(deed(), state)


def test_a_key_is_a_name(client):
    registry = otp.Registry()
    place = registry.via(("room", 7))
    counter = otp.start(Counter, 3, name=place)

    assert otp.whereis(place) is counter
    assert registry.whereis(("room", 7)) is counter
    assert otp.call(place, "get") == 3
    assert registry.keys(counter) == (("room", 7),)
    with pytest.raises(otp.StartFailed, match="is taken by"):
        otp.start(Counter, name=otp.via(registry, ("room", 7)))
    otp.stop(place)
    assert (registry.count(), registry.lookup(("room", 7))) == (0, ())


def test_entries_are_gone_before_anybody_hears_of_the_end(client):
    registry = otp.Registry("duplicate")
    for _ in range(50):
        server = otp.start(Server)
        server.ask(doing(lambda: registry.register("key")))
        otp.monitor(server)
        otp.exit_signal(server, otp.KILL)
        client.receive(SOON)
        assert registry.count() == 0


def test_a_key_of_the_own_can_be_given_back_and_taken_again(client):
    registry = otp.Registry()
    registry.register("key", 1)
    with pytest.raises(otp.AlreadyRegisteredError) as caught:
        registry.register("key", 2)
    assert caught.value.holder is client.ref
    assert registry.update_value("key", lambda value: value + 1) == (2, 1)
    registry.unregister("key")
    registry.register("key", 3)
    assert registry.lookup("key") == ((client.ref, 3),)
    with pytest.raises(KeyError):
        registry.update_value("other", lambda value: value)


def test_a_registry_has_keys_of_one_kind():
    with pytest.raises(ValueError, match="several"):
        otp.Registry("several")  # type: ignore[arg-type]


def test_a_topic_reaches_all_its_subscribers_once(client):
    pubsub = otp.PubSub()
    pubsub.subscribe("news")
    pubsub.subscribe("news")
    server = otp.start(Server)
    server.ask(doing(lambda: pubsub.subscribe("news")))

    assert pubsub.publish("news", "hello") == 2
    assert pubsub.publish_from("news", "not to me") == 1
    assert pubsub.publish("weather", "rain") == 0
    assert client.messages() == ["hello"]
    pubsub.unsubscribe("news")
    assert pubsub.subscribers("news") == 1
    otp.stop(server)
    assert pubsub.subscribers("news") == 0


def test_a_subscriber_that_ends_is_no_subscriber(client):
    pubsub = otp.PubSub()
    task = otp.Task.start(lambda: [pubsub.subscribe("news"), otp.receive(SOON)])
    while not pubsub.subscribers("news"):
        otp.sleep(0.001)
    task.kill()
    assert pubsub.publish("news", "too late") == 0
    assert down_of(task, client).reason == otp.NOPROC


def test_giving_back_what_one_never_had_leaves_nothing_behind(client):
    registry, topics = otp.Registry(), otp.PubSub()

    def enter() -> None:
        topics.unsubscribe("news")
        topics.subscribe("news")
        registry.unregister("key")
        registry.register("key")

    for _ in range(3):
        server = otp.start(Server)
        server.ask(doing(enter))
        otp.stop(server)
    assert (topics.subscribers("news"), topics.publish("news", "unread")) == (0, 0)
    assert (registry.count(), registry.lookup("key")) == (0, ())


KEYS = ("a", "b")
deeds = st.lists(
    st.tuples(
        st.sampled_from(["register", "register", "unregister", "end"]),
        st.integers(0, 2),
        st.sampled_from(KEYS),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(st.sampled_from(["unique", "duplicate"]), deeds)
def test_a_registry_holds_what_its_living_processes_have_registered(keys, todo):
    registry: Any = otp.Registry(keys)
    held: dict[str, list[Any]] = {key: [] for key in KEYS}
    members: list[Any] = [otp.start(Server) for _ in range(3)]
    for name, number, key in todo:
        member = members[number]
        if name == "end":
            otp.exit_signal(member, otp.KILL)
            held = {
                each: [one for one in those if one is not member] for each, those in held.items()
            }
            members[number] = otp.start(Server)
        elif name == "unregister":
            member.ask(doing(lambda key=key: registry.unregister(key)))
            held[key] = [one for one in held[key] if one is not member]
        elif keys == "unique" and held[key]:
            with pytest.raises(otp.CallExit):  # of `AlreadyRegisteredError`, which ends it
                member.ask(doing(lambda key=key: registry.register(key)))
            held = {
                each: [one for one in those if one is not member] for each, those in held.items()
            }
            members[number] = otp.start(Server)
        else:
            member.ask(doing(lambda key=key: registry.register(key)))
            held[key].append(member)
        for each in KEYS:
            assert [ref for ref, _ in registry.lookup(each)] == held[each]
        assert registry.count() == sum(map(len, held.values()))
    for member in members:
        otp.stop(member)
    assert registry.count() == 0

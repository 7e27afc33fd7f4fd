"""Publish and subscribe: a message to everybody who wants to hear of a topic."""

from __future__ import annotations

from collections.abc import Hashable

from realtime_actors.otp.kernel.calls import deliver
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.process import own_thread
from realtime_actors.otp.registry import Registry

__all__ = ["PubSub"]


class PubSub(Handle):
    """Topics and their subscribers. A subscriber that ends is unsubscribed by that."""

    def __init__(self) -> None:
        self._topics = Registry("duplicate")

    def subscribe(self, topic: Hashable) -> None:
        """Have the calling process get what is published on a topic, as plain messages.

        Subscribing twice is subscribing once.
        """
        process = own_thread.process
        if process is None or topic not in self._topics.keys(process.ref):
            self._topics.register(topic)

    def unsubscribe(self, topic: Hashable) -> None:
        """End the subscription of the calling process, if there is one."""
        self._topics.unregister(topic)

    def publish(self, topic: Hashable, message: object) -> int:
        """Send a message to all subscribers of a topic. Gives how many there were."""
        return self._topics.dispatch(topic, message)

    def publish_from(self, topic: Hashable, message: object) -> int:
        """`publish`, to all but the calling process."""
        others = [
            each.process
            for each in self._topics._at(topic)
            if each.process is not own_thread.process
        ]
        for process in others:
            deliver(process, message)
        return len(others)

    def subscribers(self, topic: Hashable) -> int:
        """How many there are."""
        return len(self._topics.lookup(topic))

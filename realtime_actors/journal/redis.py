"""A journal in Redis, by redis-py (the extra `[redis]`).

How long Redis itself keeps what it was told is a setting of the server: see `RedisJournal`.
Each step is one script, so that nothing comes between the look at the epoch and the write.
The clock of the leases is the server's.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attrs import evolve

from realtime_actors.errors import (
    ConfigError,
    JournalError,
    JournalUnavailableError,
    LeaseHeldError,
    LeaseLostError,
)
from realtime_actors.journal.base import Batch, Lease, Record, lost
from realtime_actors.journal.extras import Secrets, needed
from realtime_actors.otp import fork

__all__ = ["RedisJournal"]

log = logging.getLogger("realtime_actors.journal")

CONNECT_WITHIN: Final = 5.0
"""Seconds for a connection, and for an answer."""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# Each has KEYS[1], the lease (a hash of epoch, holder, until), and most have KEYS[2], the
# records (a list); the number of the first of those is in a member of the lease's neighbour,
# KEYS[3]. Epochs are compared as text: they are equal or they are not.
_TAKE: Final = f"""{_NOW}
local held = redis.call('HMGET', KEYS[1], 'until', 'holder', 'epoch')
if ARGV[4] ~= '1' and held[1] and tonumber(held[1]) > now then
    return {{'held', held[2], held[1]}}
end
if held[3] and tonumber(held[3]) >= tonumber(ARGV[1]) then
    return {{'again'}}
end
local upto = now + ARGV[3]
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'holder', ARGV[2], 'until', upto)
return {{'taken', upto}}
"""
_RENEW: Final = f"""{_NOW}
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
local upto = now + ARGV[2]
redis.call('HSET', KEYS[1], 'until', upto)
return upto
"""
_GIVE_UP: Final = """
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_APPEND: Final = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
local first = tonumber(redis.call('GET', KEYS[3]) or ARGV[2])
local next_number = first + redis.call('LLEN', KEYS[2])
if next_number == first then
    first, next_number = tonumber(ARGV[2]), tonumber(ARGV[2])
end
for index = 4, #ARGV do
    if tonumber(ARGV[2]) + index - 4 >= next_number then
        redis.call('RPUSH', KEYS[2], ARGV[index])
    end
end
local keep_from = tonumber(ARGV[3])
if keep_from > first then
    redis.call('LTRIM', KEYS[2], keep_from - first, -1)
    first = keep_from
end
redis.call('SET', KEYS[3], first)
return 1
"""
_DELETE: Final = f"""{_NOW}
local held = redis.call('HMGET', KEYS[1], 'until', 'holder')
if held[1] and tonumber(held[1]) > now then return {{'held', held[2], held[1]}} end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return {{'gone'}}
"""


class RedisJournal:
    """A `Journal` in Redis 6 or later, under keys that begin with a prefix.

    With Redis' own settings a record outlives this process, and not the machine of the server:
    `appendonly yes` writes to its disk once a second, and with `appendfsync always` before it
    answers, which is what a journal promises. A warning in the log says so where it is off.
    """

    def __init__(self, url: str, *, prefix: str = "realtime_actors") -> None:
        """Connect. `url` is as `redis://...`, `rediss://...` or `unix://...`; it is not shown.

        Raises `MissingExtraError`, `ConfigError` for what is no such URL, and
        `JournalUnavailableError`.
        """
        self._redis = needed("redis", feature="RedisJournal", extra="redis")
        self._prefix = prefix
        try:
            self._client: Any = self._redis.Redis.from_url(
                url,
                decode_responses=True,
                socket_connect_timeout=CONNECT_WITHIN,
                socket_timeout=CONNECT_WITHIN,
            )
        except ValueError:
            # Not what it says: that has the URL in it.
            raise ConfigError("url= is no URL of Redis") from None
        self._where = self._client.connection_pool.connection_kwargs
        self._secrets = Secrets(url, self._where.get("password"))
        self._lock = threading.Lock()  # one append after the other: they are in order
        self._is_closed = False
        scripts = (_TAKE, _RENEW, _GIVE_UP, _APPEND, _DELETE)
        with self._asking():
            self._client.ping()
            made = [self._client.register_script(each) for each in scripts]
            self._take, self._renew, self._give_up, self._append, self._delete = made
            self._warn_of_losses()
        fork.each_in_child(self, RedisJournal._leave_to_parent)

    def __repr__(self) -> str:
        names = ("host", "port", "path", "db")
        told = ", ".join(f"{name}={self._where[name]!r}" for name in names if name in self._where)
        return f"RedisJournal({told})"

    def take(self, key: str, *, holder: str, seconds: float, force: bool = False) -> Lease:
        """See `Journal.take`. The clock is the server's."""
        with self._asking():
            while True:
                epoch = int(self._client.incr(f"{self._prefix}:epoch"))
                args = [epoch, holder, round(seconds * 1000), int(force)]
                told = self._take(keys=self._names(key)[:1], args=args)
                match told:
                    case ["taken", until]:
                        until = int(until) / 1000
                        return Lease(key=key, epoch=epoch, holder=holder, until=until)
                    case ["held", by, until]:
                        raise LeaseHeldError(key, holder=by, until=int(until) / 1000)
                    case _:
                        pass  # another one, with a higher epoch, was quicker

    def renew(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease | LeaseLostError]:
        """See `Journal.renew`."""
        with self._asking(), self._client.pipeline(transaction=False) as pipeline:
            for each in leases:
                args = [each.epoch, round(seconds * 1000)]
                self._renew(keys=self._names(each.key)[:1], args=args, client=pipeline)
            until = pipeline.execute()
        return [
            lost(lease) if at is None else evolve(lease, until=int(at) / 1000)
            for lease, at in zip(leases, until, strict=True)
        ]

    def give_up(self, lease: Lease) -> None:
        """See `Journal.give_up`."""
        with self._asking():
            self._give_up(keys=self._names(lease.key)[:1], args=[lease.epoch])

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        """See `Journal.append`. All batches are one trip to the server."""
        with self._asking(), self._client.pipeline(transaction=False) as pipeline:
            for each in batches:
                first = each.records[0].number if each.records else 1
                texts = [record.text for record in each.records]
                args = [each.lease.epoch, first, each.keep_from, *texts]
                self._append(keys=self._names(each.lease.key), args=args, client=pipeline)
            written = pipeline.execute()
        return [
            None if is_ours else lost(batch.lease)
            for batch, is_ours in zip(batches, written, strict=True)
        ]

    def read(self, key: str) -> Sequence[Record]:
        """See `Journal.read`."""
        _, records, first = self._names(key)
        with self._asking(), self._client.pipeline(transaction=True) as pipeline:
            found, number = pipeline.lrange(records, 0, -1).get(first).execute()
        return [Record(at, text) for at, text in enumerate(found, int(number or 1))]

    def list_keys(self) -> Sequence[str]:
        """See `Journal.list_keys`. Looks at all keys of the database."""
        ends = f"{self._prefix}:records:{{"
        with self._asking():
            found = self._client.scan_iter(match=f"{_literally(ends)}*", count=1000)
            return sorted({each.removeprefix(ends)[:-1] for each in found})

    def delete(self, key: str) -> None:
        """See `Journal.delete`."""
        with self._asking():
            match self._delete(keys=self._names(key)):
                case ["held", by, until]:
                    raise LeaseHeldError(key, holder=by, until=int(until) / 1000)
                case _:
                    pass

    def close(self) -> None:
        """See `Journal.close`."""
        with self._lock:
            self._is_closed = True
            self._client.close()

    def _names(self, key: str) -> list[str]:
        # In braces, so that a cluster keeps the three of them on one server.
        return [f"{self._prefix}:{what}:{{{key}}}" for what in ("lease", "records", "first")]

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise JournalError(f"{self!r}: the journal is closed")
            try:
                yield
            except self._redis.RedisError as error:
                said = f"{self!r}: {type(error).__name__}: {self._secrets.cut_from(error)}"
                raise JournalUnavailableError(said) from None

    def _leave_to_parent(self) -> None:
        self._lock = threading.Lock()  # the client itself sees that it is another process

    def _warn_of_losses(self) -> None:
        try:
            told = self._client.config_get("append*")
        except self._redis.ResponseError:
            return  # a server that is hosted tells nobody
        if told.get("appendonly") != "yes" or told.get("appendfsync") != "always":
            log.warning(
                "%r may lose what it was told when the machine of the server fails: that takes"
                " 'appendonly yes' and 'appendfsync always'",
                self,
            )


def _literally(text: str) -> str:
    """Make a pattern that matches this text only."""
    return "".join(f"\\{each}" if each in "*?[]\\^" else each for each in text)

"""A journal in the memory of this process: for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from realtime_actors.errors import LeaseHeldError, LeaseLostError
from realtime_actors.journal.base import Batch, Lease, Record, lost

__all__ = ["MemoryJournal"]


@define(eq=False)
class MemoryJournal:
    """A `Journal` that ends with the process. Nothing in it waits."""

    _clock: Callable[[], float] = field(default=time.time, alias="clock")
    _records: dict[str, list[Record]] = field(factory=dict, init=False, repr=False)
    _leases: dict[str, Lease] = field(factory=dict, init=False, repr=False)
    _epoch: int = field(default=0, init=False)  # the last one that was given
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)  # guards all

    def take(self, key: str, *, holder: str, seconds: float, force: bool = False) -> Lease:
        """See `Journal.take`."""
        with self._lock:
            if not force:
                self._check_free(key)
            self._epoch += 1
            until = self._clock() + seconds
            lease = Lease(key=key, epoch=self._epoch, holder=holder, until=until)
            self._leases[key] = lease
            return lease

    def renew(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease | LeaseLostError]:
        """See `Journal.renew`."""
        with self._lock:
            return [self._renewed(each, self._clock() + seconds) for each in leases]

    def _renewed(self, lease: Lease, until: float) -> Lease | LeaseLostError:
        if not self._is_current(lease):
            return lost(lease)
        renewed = self._leases[lease.key] = evolve(lease, until=until)
        return renewed

    def give_up(self, lease: Lease) -> None:
        """See `Journal.give_up`."""
        with self._lock:
            if self._is_current(lease):
                del self._leases[lease.key]

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        """See `Journal.append`."""
        with self._lock:
            return [self._appended(batch) for batch in batches]

    def _appended(self, batch: Batch) -> LeaseLostError | None:
        lease = batch.lease
        if not self._is_current(lease):
            return lost(lease)
        records = self._records.setdefault(lease.key, [])
        last = records[-1].number if records else 0
        records += [each for each in batch.records if each.number > last]
        if records and batch.keep_from > records[0].number:
            records[:] = [each for each in records if each.number >= batch.keep_from]
        return None

    def read(self, key: str) -> Sequence[Record]:
        """See `Journal.read`."""
        with self._lock:
            return tuple(self._records.get(key, ()))

    def list_keys(self) -> Sequence[str]:
        """See `Journal.list_keys`."""
        with self._lock:
            return sorted(key for key, records in self._records.items() if records)

    def delete(self, key: str) -> None:
        """See `Journal.delete`."""
        with self._lock:
            self._check_free(key)
            self._records.pop(key, None)
            self._leases.pop(key, None)

    def close(self) -> None:
        """See `Journal.close`."""

    def _is_current(self, lease: Lease) -> bool:
        known = self._leases.get(lease.key)
        return known is not None and known.epoch == lease.epoch

    def _check_free(self, key: str) -> None:
        known = self._leases.get(key)
        if known is not None and known.until > self._clock():
            raise LeaseHeldError(key, holder=known.holder, until=known.until)

"""The thread that writes a journal, for all sessions of this process that share it.

    session --append--> what waits --one commit for all of it--> the store
       ^------------------ Written, Failing, Lost -------------------|

A session hands over its records and goes on: it hears of it when the store has them. While the
store works on one commit, more records gather for the next one, of whatever session. The thread
renews the leases too, and lives as long as there is a session that writes.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from attrs import define, field, frozen

from realtime_actors.errors import JournalError, JournalUnavailableError, LeaseLostError
from realtime_actors.journal.base import Batch, Journal, Lease, Record
from realtime_actors.otp import fork

__all__ = ["Failing", "Lost", "News", "Writing", "Written", "begin"]

log = logging.getLogger("realtime_actors.journal")

LIMIT: Final = 10_000
"""Records of one session that may wait. Ours: a store that is that far behind won't catch up."""
FIRST_DELAY: Final = 0.05
"""Seconds after which a failed commit is tried again; twice as long each time, up to"""
LAST_DELAY: Final = 2.0
AT_THE_END: Final = 5.0
"""Seconds in which a session that has ended gets its last records written."""
AT_EXIT: Final = 2.0
"""Seconds that the end of the program waits for what is not written yet."""
RENEWALS: Final = 3
"""How often a lease is renewed in its time."""


@frozen
class Written:
    """The store has all records up to this number."""

    upto: int


@frozen
class Failing:
    """The store does not take anything now. It is tried again, until it does."""

    error: JournalError


@frozen
class Lost:
    """Nothing more is written: another process has the conversation, or may have."""

    error: JournalError


News: TypeAlias = Written | Failing | Lost
Encode: TypeAlias = Callable[[], Sequence[str]]
"""Makes the texts of some records, in the thread that writes."""


@define(eq=False)
class _Waiting:
    first: int
    encode: Encode
    count: int
    is_snapshot: bool


@define(eq=False)
class Writing:
    """One conversation that is being written. Its methods may be called by any thread."""

    lease: Lease
    seconds: float
    """How long the lease lasts."""
    ends_with_lease: bool
    """Whether it is over when the lease could not be renewed in its time."""
    _thread: _Thread
    _tell: Callable[[News], object]
    _next: int
    """The number of the next record."""
    _queue: list[_Waiting] = field(factory=list, init=False)
    _written: int = field(default=0, init=False)
    _valid_until: float = field(init=False)
    _renew_at: float = field(init=False)
    _ends_by: float | None = field(default=None, init=False)
    is_over: bool = field(default=False, init=False)
    is_failing: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._written = self._next - 1
        self._renewed(time.monotonic())

    def append(self, count: int, encode: Encode, *, is_snapshot: bool = False) -> int:
        """Have so many records written. Return the number of the last one. Never waits.

        `encode` makes their texts, later and in another thread. A snapshot says all that is to
        be known: the records before it may go.
        """
        with self._thread.changed:
            first = self._next
            self._next += count
            if not self.is_over:
                self._queue.append(_Waiting(first, encode, count, is_snapshot))
                self._thread.changed.notify_all()
            return self._next - 1

    def tell(self, tell: Callable[[News], object]) -> None:
        """Have another one told of what becomes of the records."""
        with self._thread.changed:
            self._tell = tell

    def wait(self, upto: int, within: float) -> bool:
        """Block until the store has the records up to a number. Return False if it has not."""
        with self._thread.changed:
            self._thread.changed.wait_for(lambda: self._written >= upto or self.is_over, within)
            return self._written >= upto

    def end(self) -> None:
        """Give the lease up, once all is written. Does not wait for it."""
        with self._thread.changed:
            if self._ends_by is None:
                self._ends_by = time.monotonic() + AT_THE_END
                self._thread.changed.notify_all()

    @property
    def has_run_out(self) -> bool:
        """Whether another process may have the conversation by now."""
        return self.ends_with_lease and time.monotonic() >= self._valid_until

    # -- for the thread, which holds the lock -----------------------------------------------

    def _renewed(self, asked_at: float) -> None:
        self._valid_until = asked_at + self.seconds
        self._renew_at = asked_at + self.seconds / RENEWALS

    def _over(self, error: JournalError | None) -> None:
        self.is_over = True
        self._queue.clear()
        self._thread.changed.notify_all()
        if error is not None:
            self._tell(Lost(error))


def begin(
    journal: Journal,
    lease: Lease,
    *,
    seconds: float,
    number: int,
    ends_with_lease: bool,
    tell: Callable[[News], object],
) -> Writing:
    """Begin to write a conversation. `number` is that of its next record."""
    with _lock:
        thread = _threads.get(id(journal))
        if thread is None:
            thread = _threads[id(journal)] = _Thread(journal)
        writing = Writing(
            lease=lease,
            seconds=seconds,
            ends_with_lease=ends_with_lease,
            thread=thread,
            tell=tell,
            next=number,
        )
        thread.add(writing)
    return writing


class _Thread:
    """Writes what the sessions of one journal have."""

    def __init__(self, journal: Journal) -> None:
        self.changed = threading.Condition()  # guards the writings, and is held for no I/O
        self._journal = journal
        self._writings: list[Writing] = []
        self._delay = 0.0  # until the store is tried again
        threading.Thread(target=self._run, name="realtime-journal", daemon=True).start()

    def add(self, writing: Writing) -> None:
        with self.changed:
            self._writings.append(writing)
            self.changed.notify_all()

    def wait_until_written(self, within: float) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not any(each._queue for each in self._writings), within)

    def _run(self) -> None:
        # Once it is in the table, so that a thread that finds nothing to do is not the last one.
        while True:
            with self.changed:
                self.changed.wait_for(self._is_due, self._pause())
            self._renew()
            self._write()
            self._end_some()
            with _lock, self.changed:
                if not self._writings:
                    if _threads.get(id(self._journal)) is self:
                        del _threads[id(self._journal)]
                    return
            if self._delay:
                time.sleep(self._delay)

    def _is_due(self) -> bool:
        now = time.monotonic()
        return any(
            each._queue or each._ends_by is not None or now >= each._renew_at
            for each in self._writings
        )

    def _pause(self) -> float:
        now = time.monotonic()
        return max(0.0, min((each._renew_at - now for each in self._writings), default=0.0))

    def _write(self) -> None:
        with self.changed:
            work = [(each, tuple(each._queue)) for each in self._writings if each._queue]
        batches = [(each, waiting, self._batch(each, waiting)) for each, waiting in work]
        written = [(each, waiting, batch) for each, waiting, batch in batches if batch is not None]
        if not written:
            return
        try:
            outcomes = self._journal.append([batch for _, _, batch in written])
            results = list(zip(written, outcomes, strict=True))
        except Exception as error:
            self._failed(error)
            return
        with self.changed:
            self._delay = 0.0
            for (writing, waiting, _), outcome in results:
                if outcome is not None:
                    writing._over(outcome)
                    continue
                del writing._queue[: len(waiting)]
                writing._written = waiting[-1].first + waiting[-1].count - 1
                writing.is_failing = False
                writing._tell(Written(writing._written))
            self.changed.notify_all()

    def _batch(self, writing: Writing, waiting: Sequence[_Waiting]) -> Batch | None:
        """Put together what is to be written. None: it can't be, so that is the end of it."""
        records: list[Record] = []
        keep_from = 0
        try:
            for each in waiting:
                records += map(Record, range(each.first, each.first + each.count), each.encode())
                if each.is_snapshot:
                    keep_from = each.first
        except Exception as error:
            log.warning("records can't be written: %s", type(error).__name__, exc_info=error)
            with self.changed:
                writing._over(JournalError(f"records can't be written: {type(error).__name__}"))
            return None
        return Batch(lease=writing.lease, records=records, keep_from=keep_from)

    def _renew(self) -> None:
        now = time.monotonic()
        with self.changed:
            due = [each for each in self._writings if now >= each._renew_at and not each.is_over]
        for each in {each.seconds for each in due}:
            self._renew_those([writing for writing in due if writing.seconds == each], each)

    def _renew_those(self, writings: Sequence[Writing], seconds: float) -> None:
        asked_at = time.monotonic()
        try:
            outcomes = self._journal.renew([each.lease for each in writings], seconds)
        except Exception as error:
            self._failed(error)
            return
        with self.changed:
            for writing, outcome in zip(writings, outcomes, strict=True):
                if isinstance(outcome, LeaseLostError):
                    writing._over(outcome)
                else:
                    writing.lease = outcome
                    writing._renewed(asked_at)
            if not any(each._queue for each in self._writings):
                self._delay = 0.0

    def _failed(self, error: Exception) -> None:
        """The store has taken nothing: say so once, and try again after a while."""
        if isinstance(error, JournalError):
            failure = error
        else:  # of a store that is somebody's own
            is_news = not any(each.is_failing for each in self._writings)
            log.log(
                logging.WARNING if is_news else logging.DEBUG,
                "a journal failed with %s",
                type(error).__name__,
                exc_info=error,
            )
            failure = JournalUnavailableError(f"the journal failed with {type(error).__name__}")
        with self.changed:
            self._delay = min(max(2 * self._delay, FIRST_DELAY), LAST_DELAY)
            for each in self._writings:
                if each.is_over:
                    continue
                if not each.is_failing:
                    each.is_failing = True
                    each._tell(Failing(failure))
                if each.has_run_out and each._ends_by is None:
                    why = f"its lease could not be renewed within {each.seconds:g} s: {failure}"
                    each._over(LeaseLostError(f"another process may have the conversation: {why}"))
                elif sum(waiting.count for waiting in each._queue) > LIMIT:
                    each._over(JournalError(f"{LIMIT} records are not written: {failure}"))
            self.changed.notify_all()

    def _end_some(self) -> None:
        now = time.monotonic()
        with self.changed:
            ended = [
                each
                for each in self._writings
                if each._ends_by is not None
                and (each.is_over or not each._queue or now >= each._ends_by)
            ]
        for each in ended:
            if not each.is_over and each._queue:
                log.warning("%d commits of a session were not written", len(each._queue))
            try:
                if not each.is_over:
                    self._journal.give_up(each.lease)
            except Exception as error:
                log.warning("a lease was not given up: %s", type(error).__name__)
        with self.changed:
            for each in ended:
                each._over(None)
                self._writings.remove(each)


_lock: Final = threading.Lock()  # guards the table
_threads: Final[dict[int, _Thread]] = {}
"""By the journals: each lives as long as a session that writes to it."""

fork.hold_over_fork(_lock)
fork.in_child(_threads.clear)  # threads stay with the parent


@atexit.register
def _finish_all() -> None:
    deadline = time.monotonic() + AT_EXIT
    for thread in list(_threads.values()):
        thread.wait_until_written(max(0.0, deadline - time.monotonic()))

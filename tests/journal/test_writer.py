"""The thread that writes: what it writes together, whom it tells, what it does when it can't."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from realtime_actors.errors import JournalUnavailableError, LeaseLostError
from realtime_actors.journal import Batch, Lease, MemoryJournal, Record
from realtime_actors.journal.writer import Failing, Lost, Writing, Written, begin

WAIT = 5.0


@define(eq=False)
class Slow(MemoryJournal):
    """A journal that works when the test lets it, and says what it was asked for."""

    commits: list[list[tuple[str, int]]] = field(factory=list, init=False)
    asked: threading.Semaphore = field(factory=lambda: threading.Semaphore(0), init=False)
    allowed: threading.Semaphore = field(factory=lambda: threading.Semaphore(0), init=False)
    fails: bool = field(default=False, init=False)

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        self.asked.release()
        assert self.allowed.acquire(timeout=WAIT)
        if self.fails:
            raise JournalUnavailableError("the disk is full")
        self.commits.append([(each.lease.key, len(each.records)) for each in batches])
        return super().append(batches)


class Ear(queue.SimpleQueue[Any]):
    def next(self) -> Any:
        return self.get(timeout=WAIT)


def writing(journal: MemoryJournal, key: str, ear: Ear, **options: Any) -> Writing:
    seconds = options.pop("seconds", 60.0)
    lease = journal.take(key, holder="a test", seconds=seconds)
    given = {"number": 1, "ends_with_lease": True, **options}
    return begin(journal, lease, seconds=seconds, tell=ear.put, **given)


def texts(*each: str) -> Callable[[], Sequence[str]]:
    return lambda: each


def test_what_gathers_while_the_store_works_is_one_commit_of_all_sessions():
    journal, ear = Slow(), Ear()
    one, two = writing(journal, "one", ear), writing(journal, "two", ear)
    assert one.append(1, texts("a")) == 1
    assert journal.asked.acquire(timeout=WAIT)  # it works on the first commit
    assert one.append(2, texts("b", "c")) == 3
    assert two.append(1, texts("x")) == 1
    assert one.append(1, texts("d")) == 4
    journal.allowed.release()
    journal.allowed.release()

    assert [ear.next() for _ in range(3)] == [Written(1), Written(4), Written(1)]
    assert journal.commits == [[("one", 1)], [("one", 3), ("two", 1)]]
    assert [each.text for each in journal.read("one")] == ["a", "b", "c", "d"]
    one.end()
    two.end()


def test_a_snapshot_takes_the_place_of_what_was_written_before():
    journal, ear = MemoryJournal(), Ear()
    call = writing(journal, "call", ear)
    call.append(3, texts("a", "b", "c"))
    call.append(2, texts("A", "B"), is_snapshot=True)
    last = call.append(1, texts("d"))

    assert call.wait(last, WAIT)
    assert list(journal.read("call")) == [Record(4, "A"), Record(5, "B"), Record(6, "d")]
    call.end()


def test_the_lease_is_given_up_once_all_is_written():
    journal, ear = Slow(), Ear()
    call = writing(journal, "call", ear)
    call.append(1, texts("a"))
    call.end()
    journal.allowed.release()

    assert ear.next() == Written(1)
    taken_in_time(journal, "call")
    assert len(journal.read("call")) == 1


def test_a_store_that_fails_is_tried_again_and_nothing_is_lost_or_written_twice():
    journal, ear = Slow(), Ear()
    journal.fails = True
    call = writing(journal, "call", ear)
    call.append(1, texts("a"))
    for _ in range(3):
        journal.allowed.release()
        assert journal.asked.acquire(timeout=WAIT)
    call.append(1, texts("b"))
    journal.fails = False
    for _ in range(3):
        journal.allowed.release()

    told = ear.next()
    assert isinstance(told, Failing)
    assert str(told.error) == "the disk is full"
    upto = 0
    while upto < 2:
        written = ear.next()
        assert isinstance(written, Written)  # and it was said once that it fails
        upto = written.upto
    assert [each.text for each in journal.read("call")] == ["a", "b"]
    call.end()


def test_a_conversation_that_was_taken_over_is_lost():
    journal, ear = MemoryJournal(), Ear()
    call = writing(journal, "call", ear)
    journal.take("call", holder="another", seconds=60, force=True)
    last = call.append(1, texts("a"))

    assert isinstance(ear.next().error, LeaseLostError)
    assert not call.wait(last, 0)
    assert list(journal.read("call")) == []
    call.end()


def test_a_lease_is_renewed_without_any_records_and_its_loss_is_heard_of():
    journal, ear = MemoryJournal(), Ear()
    call = writing(journal, "call", ear, seconds=0.3)
    before = call.lease
    while call.lease.until == before.until:  # its own third of the time
        assert not ear.qsize()
        threading.Event().wait(0.01)
    journal.take("call", holder="another", seconds=60, force=True)

    assert isinstance(ear.next(), Lost)
    call.end()


def test_a_lease_that_can_not_be_renewed_in_its_time_is_lost():
    class Gone(MemoryJournal):
        def renew(self, leases: Sequence[Lease], seconds: float) -> Any:
            raise JournalUnavailableError("no route to host")

    journal, ear = Gone(), Ear()
    call = writing(journal, "call", ear, seconds=0.3)

    assert isinstance(ear.next(), Failing)
    lost = ear.next()
    assert isinstance(lost.error, LeaseLostError)
    assert "could not be renewed within 0.3 s: no route to host" in str(lost.error)
    assert call.has_run_out
    call.end()


def test_a_session_that_goes_on_without_its_journal_does_not_lose_it_by_that():
    class Gone(MemoryJournal):
        gone = True

        def renew(self, leases: Sequence[Lease], seconds: float) -> Any:
            if self.gone:
                raise JournalUnavailableError("no route to host")
            return super().renew(leases, seconds)

    journal, ear = Gone(), Ear()
    call = writing(journal, "call", ear, seconds=0.1, ends_with_lease=False)
    assert isinstance(ear.next(), Failing)
    threading.Event().wait(0.2)
    journal.gone = False
    last = call.append(1, texts("a"))

    assert call.wait(last, WAIT)
    assert not call.has_run_out
    call.end()


def test_a_store_of_the_programs_own_that_raises_anything_is_a_store_that_fails():
    class Broken(MemoryJournal):
        broken = True

        def append(self, batches: Sequence[Batch]) -> Any:
            if self.broken:
                raise ZeroDivisionError
            return super().append(batches)

    journal, ear = Broken(), Ear()
    call = writing(journal, "call", ear)
    call.append(1, texts("a"))

    assert str(ear.next().error) == "the journal failed with ZeroDivisionError"
    journal.broken = False
    assert ear.next() == Written(1)
    call.end()


def taken_in_time(journal: MemoryJournal, key: str) -> Lease:
    while True:
        try:
            return journal.take(key, holder="another", seconds=60)
        except Exception:
            threading.Event().wait(0.01)

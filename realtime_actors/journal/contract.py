"""What every `Journal` has to keep, as tests: see `JournalContract`."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from realtime_actors.errors import LeaseHeldError, LeaseLostError
from realtime_actors.journal.base import Batch, Journal, Lease, Record

__all__ = ["JournalContract"]

E = TypeVar("E", bound=Exception)
T = TypeVar("T")

LONG: Final = 60.0
"""Seconds of a lease that is not to run out in a test."""
SHORT: Final = 0.05
PATIENCE: Final = 10.0
"""Seconds in which a short lease must have run out."""
RIVALS: Final = 8

ODD_TEXTS: Final = (
    "{}",
    '{"said": "caf\\u00e9, \\"quoted\\", a \\\\ and a \\n"}',
    '{"said": "\N{SLIGHTLY SMILING FACE} \N{CJK UNIFIED IDEOGRAPH-6F22}"}',
    '{"said": "%s {} $1 ; -- \' ` \\u0000"}',
    '{"said": "' + "long " * 100_000 + '"}',
)
ODD_KEYS: Final = (
    "call-42",
    "+44 20 7946 0000",
    "a/b:c{d}*?[e]\\",
    "Gespr\u00e4ch \u6f22",
    "'; --",
)


class JournalContract:
    """Tests of a store. Derive a class from it for pytest (or call its `test_` methods):

        class TestMyJournal(JournalContract):
            def open(self) -> Journal:
                return MyJournal("localhost")

    Each test uses keys of its own, so the store need not be empty. It closes what it opens.
    """

    def open(self) -> Journal:
        """Return a journal, another one each time, on one and the same store."""
        raise NotImplementedError

    # -- records -------------------------------------------------------------------------

    def test_what_was_appended_is_read_in_order_by_others_too(self) -> None:
        with self._two() as (journal, other):
            lease = _take(journal, _key())
            written = _records(1, 5)
            assert list(journal.append([_batch(lease, written[:2])])) == [None]
            assert list(journal.append([_batch(lease, written[2:])])) == [None]

            assert list(journal.read(lease.key)) == written
            assert list(other.read(lease.key)) == written

    def test_a_key_that_was_never_written_has_no_records_and_is_not_listed(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())

            assert list(journal.read(lease.key)) == []
            assert lease.key not in journal.list_keys()

    def test_the_keys_of_what_was_written_are_listed_in_order(self) -> None:
        with self._one() as journal:
            prefix = _key()
            keys = [f"{prefix} {each}" for each in ("b", "a", "c")]
            for key in keys:
                journal.append([_batch(_take(journal, key), _records(1, 1))])

            assert [each for each in journal.list_keys() if each in keys] == sorted(keys)

    def test_texts_come_back_as_they_were(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())
            written = [Record(number, text) for number, text in enumerate(ODD_TEXTS, 1)]
            journal.append([_batch(lease, written)])

            assert list(journal.read(lease.key)) == written

    def test_keys_may_have_any_printable_characters(self) -> None:
        with self._one() as journal:
            prefix = _key()
            keys = [prefix + each for each in ODD_KEYS]
            for number, key in enumerate(keys, 1):
                journal.append([_batch(_take(journal, key), [Record(1, f"[{number}]")])])

            read = {key: [each.text for each in journal.read(key)] for key in keys}
            assert read == {key: [f"[{number}]"] for number, key in enumerate(keys, 1)}
            assert set(keys) <= set(journal.list_keys())

    def test_a_batch_that_comes_again_is_written_once(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())
            written = _records(1, 4)
            journal.append([_batch(lease, written[:2])])
            journal.append([_batch(lease, written[:2])])
            journal.append([_batch(lease, written[1:])])

            assert list(journal.read(lease.key)) == written

    def test_older_records_are_forgotten_when_a_batch_says_so(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())
            written = _records(1, 8)
            journal.append([_batch(lease, written[:4])])
            journal.append([_batch(lease, written[4:6], keep_from=5)])
            journal.append([_batch(lease, written[4:6], keep_from=5)])
            journal.append([_batch(lease, written[6:])])

            assert list(journal.read(lease.key)) == written[4:]

    def test_an_append_of_nothing_does_nothing(self) -> None:
        with self._one() as journal:
            assert list(journal.append([])) == []
            assert list(journal.renew([], LONG)) == []

    def test_a_conversation_that_was_deleted_is_gone(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())
            journal.append([_batch(lease, _records(1, 3))])
            journal.give_up(lease)
            journal.delete(lease.key)
            journal.delete(lease.key)

            assert list(journal.read(lease.key)) == []
            assert lease.key not in journal.list_keys()

    def test_a_key_that_was_deleted_begins_anew(self) -> None:
        with self._one() as journal:
            before = _take(journal, _key())
            journal.append([_batch(before, _records(1, 3))])
            journal.give_up(before)
            journal.delete(before.key)
            lease = _take(journal, before.key)
            journal.append([_batch(lease, _records(1, 2))])

            assert list(journal.read(lease.key)) == _records(1, 2)
            assert lease.epoch > before.epoch

    def test_many_threads_may_use_one_journal(self) -> None:
        with self._one() as journal:
            leases = [_take(journal, _key()) for _ in range(RIVALS)]

            def write(lease: Lease) -> None:
                for each in _records(1, 5):
                    journal.append([_batch(lease, [each])])

            _at_once([lambda lease=each: write(lease) for each in leases])  # type: ignore[misc]
            for lease in leases:
                assert list(journal.read(lease.key)) == _records(1, 5)

    # -- leases --------------------------------------------------------------------------

    def test_a_lease_says_who_has_it_and_until_when(self) -> None:
        with self._one() as journal:
            key, before = _key(), time.time()
            lease = journal.take(key, holder="host one", seconds=LONG)

            assert (lease.key, lease.holder) == (key, "host one")
            assert abs(lease.until - (before + LONG)) < LONG / 2

    def test_a_lease_that_has_time_is_refused_to_others(self) -> None:
        with self._two() as (journal, other):
            lease = journal.take(_key(), holder="host one", seconds=LONG)
            for each in (journal, other):
                refused = _raised(
                    LeaseHeldError,
                    lambda each=each: _take(each, lease.key),  # type: ignore[misc]
                )
                assert (refused.key, refused.holder) == (lease.key, "host one")
                assert abs(refused.until - lease.until) < 1.0

    def test_a_lease_that_was_given_up_is_free_at_once(self) -> None:
        with self._two() as (journal, other):
            lease = _take(journal, _key())
            journal.give_up(lease)

            assert _take(other, lease.key).epoch > lease.epoch

    def test_a_lease_that_was_given_up_writes_nothing_more(self) -> None:
        with self._one() as journal:
            lease = _take(journal, _key())
            journal.give_up(lease)
            (refused,) = journal.append([_batch(lease, _records(1, 1))])
            (renewed,) = journal.renew([lease], LONG)

            assert isinstance(refused, LeaseLostError)
            assert isinstance(renewed, LeaseLostError)
            assert list(journal.read(lease.key)) == []

    def test_a_lease_that_has_run_out_can_be_taken(self) -> None:
        with self._two() as (journal, other):
            lease = journal.take(_key(), holder="host one", seconds=SHORT)

            assert _taken_in_time(other, lease.key).epoch > lease.epoch

    def test_a_lease_that_is_renewed_does_not_run_out(self) -> None:
        with self._two() as (journal, other):
            lease = journal.take(_key(), holder="host one", seconds=SHORT)
            (renewed,) = journal.renew([lease], LONG)

            assert isinstance(renewed, Lease)
            assert (renewed.key, renewed.epoch) == (lease.key, lease.epoch)
            assert renewed.until > lease.until
            time.sleep(2 * SHORT)
            _raised(LeaseHeldError, lambda: _take(other, lease.key))

    def test_a_lease_that_has_run_out_and_was_not_taken_goes_on(self) -> None:
        with self._two() as (journal, other):
            lease = journal.take(_key(), holder="host one", seconds=SHORT)
            time.sleep(2 * SHORT)

            assert list(journal.append([_batch(lease, _records(1, 1))])) == [None]
            (renewed,) = journal.renew([lease], LONG)
            assert isinstance(renewed, Lease)
            _raised(LeaseHeldError, lambda: _take(other, lease.key))

    def test_a_lease_can_be_taken_by_force(self) -> None:
        with self._two() as (journal, other):
            lease = _take(journal, _key())
            taken = other.take(lease.key, holder="host two", seconds=LONG, force=True)

            assert taken.epoch > lease.epoch
            held = _raised(LeaseHeldError, lambda: _take(journal, lease.key))
            assert held.holder == "host two"

    def test_what_was_taken_over_is_not_written_and_not_given_up_by_the_one_before(self) -> None:
        with self._two() as (journal, other):
            before = _take(journal, _key())
            journal.append([_batch(before, _records(1, 2))])
            after = other.take(before.key, holder="host two", seconds=LONG, force=True)
            (refused,) = journal.append([_batch(before, _records(3, 4), keep_from=3)])
            (renewed,) = journal.renew([before], LONG)
            journal.give_up(before)

            assert isinstance(refused, LeaseLostError)
            assert isinstance(renewed, LeaseLostError)
            assert list(journal.read(before.key)) == _records(1, 2)
            assert list(other.append([_batch(after, _records(3, 3))])) == [None]

    def test_batches_beside_one_that_is_refused_are_written(self) -> None:
        with self._one() as journal:
            lost, first, last = (_take(journal, _key()) for _ in range(3))
            journal.take(lost.key, holder="host two", seconds=LONG, force=True)
            outcomes = journal.append(
                [_batch(each, _records(1, 2)) for each in (first, lost, last)]
            )
            renewed = journal.renew([first, lost, last], LONG)

            assert [isinstance(each, LeaseLostError) for each in outcomes] == [False, True, False]
            assert [isinstance(each, LeaseLostError) for each in renewed] == [False, True, False]
            written = [list(journal.read(each.key)) for each in (first, lost, last)]
            assert written == [_records(1, 2), [], _records(1, 2)]

    def test_a_conversation_that_is_held_is_not_deleted(self) -> None:
        with self._two() as (journal, other):
            lease = _take(journal, _key())
            journal.append([_batch(lease, _records(1, 1))])
            _raised(LeaseHeldError, lambda: other.delete(lease.key))

            assert list(journal.read(lease.key)) == _records(1, 1)

    def test_what_was_deleted_is_not_written_by_the_one_before(self) -> None:
        with self._two() as (journal, other):
            lease = journal.take(_key(), holder="host one", seconds=SHORT)
            journal.append([_batch(lease, _records(1, 1))])
            _in_time(lambda: other.delete(lease.key))
            (refused,) = journal.append([_batch(lease, _records(2, 2))])

            assert isinstance(refused, LeaseLostError)
            assert list(journal.read(lease.key)) == []

    def test_of_rivals_for_one_key_one_wins(self) -> None:
        journals = [self.open() for _ in range(RIVALS)]
        key = _key()

        def try_to(journal: Journal) -> Lease | None:
            try:
                return _take(journal, key)
            except LeaseHeldError:
                return None

        try:
            taken = _at_once([lambda journal=each: try_to(journal) for each in journals])  # type: ignore[misc]
        finally:
            for each in journals:
                each.close()
        assert len([each for each in taken if each is not None]) == 1

    def test_nothing_is_written_by_a_holder_once_another_has_taken_over(self) -> None:
        with self._two() as (journal, other):
            lease = _take(journal, _key())

            def write() -> None:
                number = 0
                while True:
                    number += 1
                    (refused,) = journal.append([_batch(lease, _records(number, number))])
                    if refused is not None:
                        return

            def take_over() -> Sequence[Record]:
                _in_time(lambda: _check(len(other.read(lease.key)) >= 3))
                other.take(lease.key, holder="host two", seconds=LONG, force=True)
                return other.read(lease.key)

            _, seen = _at_once([write, take_over])
            assert seen is not None
            assert list(other.read(lease.key)) == list(seen)
            assert list(seen) == _records(1, len(seen))

    # -- the end -------------------------------------------------------------------------

    def test_closing_twice_does_nothing(self) -> None:
        journal = self.open()
        journal.close()
        journal.close()

    # -- helpers -------------------------------------------------------------------------

    @contextmanager
    def _one(self) -> Iterator[Journal]:
        journal = self.open()
        try:
            yield journal
        finally:
            journal.close()

    @contextmanager
    def _two(self) -> Iterator[tuple[Journal, Journal]]:
        with self._one() as journal, self._one() as other:
            yield journal, other


def _key() -> str:
    return f"contract {uuid.uuid4()}"


def _records(first: int, last: int) -> list[Record]:
    return [Record(number, f'{{"number": {number}}}') for number in range(first, last + 1)]


def _batch(lease: Lease, records: Sequence[Record], *, keep_from: int = 0) -> Batch:
    return Batch(lease=lease, records=records, keep_from=keep_from)


def _take(journal: Journal, key: str) -> Lease:
    return journal.take(key, holder="a test", seconds=LONG)


def _taken_in_time(journal: Journal, key: str) -> Lease:
    taken: list[Lease] = []
    _in_time(lambda: taken.append(_take(journal, key)))
    return taken[0]


def _in_time(act: Callable[[], object]) -> None:
    """Try until it works: the clock of the leases is the store's, and can't be moved."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            act()
            return
        except (LeaseHeldError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(SHORT / 5)


def _check(is_so: bool) -> None:
    assert is_so


def _raised(kind: type[E], act: Callable[[], object]) -> E:
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def _at_once(works: Sequence[Callable[[], T]]) -> list[T]:
    """Do all of it at the same time, each in a thread."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        start.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))

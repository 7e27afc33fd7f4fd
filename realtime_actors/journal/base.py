"""What a journal is: a store that keeps conversations, and lets one process at a time write each.

    free --take--> held --renew--> held --give_up--> free
                    |--- its time runs out, or it is taken by force ---> held by another

Who takes a conversation gets an epoch that is higher than all before it. What is appended with
an older one is refused: a process that was frozen, or cut off, and does not know that another
has gone on, writes nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from attrs import field, frozen

from realtime_actors.content import content
from realtime_actors.errors import ConfigError, LeaseLostError

__all__ = ["Batch", "Journal", "Lease", "Record", "check_key", "lost"]

KEY_CHARS: Final = 200
"""Characters of a key. Ours: a store may have it in an index."""


@frozen
class Record:
    """One entry of a conversation's journal. To a store, text with a number."""

    number: int
    """1 for the first. No number is used twice, and none is left out, but at the beginning."""
    text: str = field(repr=content)
    """JSON, in one line: see `realtime_actors.core.records`."""


@frozen(kw_only=True)
class Lease:
    """The right to write a conversation: as long as its time, or until another takes it."""

    key: str
    epoch: int
    """Higher than that of every lease before."""
    holder: str
    """Who has it, for people to read."""
    until: float
    """When it runs out unless it is renewed: seconds since 1970, by the clock of the store."""


@frozen(kw_only=True)
class Batch:
    """Records of one conversation that are to be written together."""

    lease: Lease
    records: Sequence[Record]
    keep_from: int = 0
    """Forget the records with lower numbers: these say all that is still to be known."""


class Journal(Protocol):
    """A store of conversations. Its methods block; any thread may call them.

    They raise `JournalUnavailableError` when the store can't be reached or takes nothing, and
    trying again may help. `realtime_actors.testing.JournalContract` tries all that is said here.
    """

    def take(self, key: str, *, holder: str, seconds: float, force: bool = False) -> Lease:
        """Take the right to write a conversation, whether there are records of it or not.

        Raises `LeaseHeldError` while another lease of it has time, unless `force` is set.
        """
        ...

    def renew(self, leases: Sequence[Lease], seconds: float) -> Sequence[Lease | LeaseLostError]:
        """Let leases last `seconds` from now, even if their time has run out meanwhile.

        Return for each what it is now, or an error if it was taken over, or given up.
        """
        ...

    def give_up(self, lease: Lease) -> None:
        """Let the next one take it at once. Do nothing when it was taken over."""
        ...

    def append(self, batches: Sequence[Batch]) -> Sequence[LeaseLostError | None]:
        """Write records, each batch wholly or not at all.

        Once this returns, they outlive the process (and the machine, as far as the store
        promises that). Return for each batch None, or an error if its lease was taken over;
        the other batches are written all the same. Records whose numbers are there already
        are left as they are: a batch may come again when it is not known what became of it.
        """
        ...

    def read(self, key: str) -> Sequence[Record]:
        """Return all records of a conversation, in order. None of them for an unknown one."""
        ...

    def list_keys(self) -> Sequence[str]:
        """Return the keys of all conversations of which there are records, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Forget a conversation. Do nothing for an unknown one.

        Raises `LeaseHeldError` while a lease of it has time.
        """
        ...

    def close(self) -> None:
        """Let go of what it has open. Closing twice does nothing."""
        ...


def check_key(key: object) -> str:
    """Return a key as it is. Raises `ConfigError` for what no store should be asked to keep."""
    if not isinstance(key, str) or not 0 < len(key) <= KEY_CHARS or not key.isprintable():
        raise ConfigError(
            f"key={key!r} names no conversation: allowed are 1 to {KEY_CHARS} printable characters"
        )
    return key


def lost(lease: Lease) -> LeaseLostError:
    """Make the error for a lease that is not the current one."""
    return LeaseLostError(
        f"the conversation {lease.key!r} was taken over by another process, or given up:"
        f" epoch {lease.epoch} is over"
    )

"""What stands for something of this program, and of no other: refs, timers, registries."""

from __future__ import annotations

from typing import Any, NoReturn, Self

__all__ = ["Handle"]


class Handle:
    """Something with an identity. A copy of it is itself, and it can't be pickled."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} can't be pickled: it stands for something of this process."
            " Give another process plain data (the `event` of a SessionEvent, a name as text)"
        )

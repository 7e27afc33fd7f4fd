"""Texts that must be shown nowhere: keys, passwords, headers that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NoReturn, TypeVar

from realtime_actors.errors import ConfigError

__all__ = ["CREDENTIAL_HEADERS", "Secret", "SecretHeaders", "secret_text"]

T = TypeVar("T")

CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "api-key", "x-api-key", "xi-api-key", "cookie"}
)
"""Headers by which servers know who asks, in lower case."""


class Secret:
    """A text that no repr, dict, log or pickle shows. Call it to get the text.

    Equal to another with the same text. A copy is the same object.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise _not_to_be_pickled("a key")


class SecretHeaders(Mapping[str, str]):
    """Headers whose values no repr, dict, log or pickle shows. A mapping like any other."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return f"SecretHeaders({', '.join(f'{name}: ...' for name in self)})"

    def __copy__(self) -> SecretHeaders:
        return self

    def __deepcopy__(self, memo: object) -> SecretHeaders:
        return self

    def __reduce__(self) -> tuple[type[SecretHeaders], tuple[dict[str, str]]]:
        if self._headers:
            raise _not_to_be_pickled("headers, which may have a key in them,")
        return SecretHeaders, ({},)


def secret_text(value: str | Secret | T) -> Secret | T:
    """Make a secret of a text; anything else (and an empty text) is for the checks to judge."""
    return Secret(value) if isinstance(value, str) and value else value  # type: ignore[return-value]


def _not_to_be_pickled(what: str) -> ConfigError:
    return ConfigError(
        f"{what} cannot be pickled: make the ModelConfig where it is used, with"
        " api_key=FUNCTION or the key in the environment there"
    )

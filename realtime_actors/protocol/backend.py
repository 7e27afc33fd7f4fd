"""JSON and base64: by the libraries of the extra `speed` where they are, or the standard ones.

Either way the same is accepted. Whatever can't be read raises `ValueError`. What is JSON but
for a half of a character, or for a number that is none, is read by `loads_damaged`.
"""

from __future__ import annotations

import json
import math
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final, NoReturn

from attrs import evolve, frozen

from realtime_actors.surrogates import replace_surrogates_within

__all__ = ["STANDARD", "Backend", "fastest", "loads_damaged"]


@frozen(kw_only=True)
class Backend:
    """Four functions that turn bytes into values and back."""

    loads: Callable[[bytes | bytearray | memoryview | str], Any]
    """Strict: no NaN, no halves of characters, and bytes must be UTF-8. A whole number beyond
    64 bits is a float, one beyond that is refused."""
    dumps: Callable[[Any], bytes]
    """UTF-8, without blanks. Raises `TypeError` or `ValueError` for what JSON can't say."""
    decode64: Callable[[str], bytes]
    """Strict: nothing but base64. Padding may be missing, some servers leave it out."""
    encode64: Callable[[bytes], str]
    worth_cutting: int
    """From how many bytes of text on `cut_speech` saves time."""


def fastest() -> Backend:
    """Make the fastest backend out of what is installed."""
    backend = STANDARD
    try:
        import orjson
    except ImportError:
        pass
    else:
        backend = evolve(backend, loads=orjson.loads, dumps=orjson.dumps, worth_cutting=8192)
    try:
        import pybase64
    except ImportError:
        pass
    else:
        backend = evolve(
            backend,
            # By place: it takes twice as long over names.
            decode64=_forgiving(lambda text: pybase64.b64decode(text, None, True)),
            encode64=pybase64.b64encode_as_string,
        )
    return backend


def loads_damaged(data: bytes | bytearray | memoryview | str) -> tuple[Any, tuple[str, ...]]:
    """Read what `loads` refuses, and say what was left out of it.

    Halves of characters become U+FFFD. Numbers that are none, or beyond all bounds, become
    null, and are named. Raises `ValueError` (or `RecursionError`) for what is no JSON.
    """
    text = data if isinstance(data, str) else str(data, "utf-8", "surrogatepass")
    text = text.removeprefix("\ufeff")  # a byte order mark: some gateways write one
    left_out: dict[str, None] = {}  # a set that keeps the order

    def leave_out(number: str) -> None:
        shown = number if len(number) <= 20 else f"{number[:12]}... ({len(number)} characters)"
        left_out[f"{shown} is no number of JSON's"] = None

    def whole(digits: str) -> int | float | None:
        try:
            return _whole(digits)
        except ValueError:
            leave_out(digits)
            return None

    def finite(number: str) -> float | None:
        try:
            return _finite(number)
        except ValueError:
            leave_out(number)
            return None

    decoder = json.JSONDecoder(parse_int=whole, parse_float=finite, parse_constant=leave_out)
    return replace_surrogates_within(decoder.decode(text)), tuple(left_out)


def _loads(data: bytes | bytearray | memoryview | str) -> Any:
    # json.loads would guess at other encodings of bytes, and take what is nearly UTF-8.
    text = data if isinstance(data, str) else str(data, "utf-8")
    value = _DECODER.decode(text)
    if "\\ud" in text or "\\uD" in text or (text is data and not text.isascii()):
        # Most likely an emoji, in two halves. A half alone can't be printed or sent on.
        _dumps(value)
    return value


def _dumps(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int | float:
    if len(digits) < 19:  # nearly all
        return int(digits)
    number = _finite(digits)
    return int(digits) if -(2**63) <= number < 2**64 else number


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(number[:20])


_DECODER: Final = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _forgiving(decode: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Make a decoder that also takes base64 whose padding was left out."""

    def decode64(text: str) -> bytes:
        try:
            return decode(text)
        except ValueError:
            if len(text) % 4 < 2 or text.endswith("="):
                raise
            return decode(text + "=" * (-len(text) % 4))

    return decode64


def _decode64(text: str) -> bytes:
    if len(text) % 4 or text.endswith("==="):  # binascii overlooks padding of nothing
        raise ValueError("incorrect padding")
    return a2b_base64(text, strict_mode=True)


STANDARD: Final = Backend(
    loads=_loads,
    dumps=_dumps,
    decode64=_forgiving(_decode64),
    encode64=lambda audio: b2a_base64(audio, newline=False).decode("ascii"),
    worth_cutting=512,
)
"""The standard library alone."""

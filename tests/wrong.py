"""What a test gives on purpose though its type is wrong."""

from __future__ import annotations

from typing import Any


def wrong(value: object) -> Any:
    """Pass a value on as if it were of the right type: the test is about what comes of it."""
    return value

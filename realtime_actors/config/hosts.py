"""Which names lead to this machine: one rule for keys, for proxies and for who may connect."""

from __future__ import annotations

import ipaddress

__all__ = ["is_this_machine"]


def is_this_machine(host: str | None) -> bool:
    """Whether a name or address leads to this machine, from itself only. In small letters."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost" or (host or "").endswith(".localhost")

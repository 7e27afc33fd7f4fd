"""The way to a server: its address, the proxy before it, TCP and TLS."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import ipaddress
import os
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies

from attrs import frozen

from realtime_actors.config.hosts import is_this_machine
from realtime_actors.errors import StartCause, StartError
from realtime_actors.otp.fork import hold_over_fork
from realtime_actors.transport.http_response import Response

__all__ = ["Target", "choose_proxy", "dial", "parse_url", "ssl_context"]

# A network that goes away, or a server that reads nothing at all, is noticed after this
# long when data is on its way; the system's own patience is a quarter of an hour.
_UNACKNOWLEDGED_MS: Final = 30_000

# When nothing is on its way, keep-alive does the same: after half a minute, three times.
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}

_PROXY_PORTS: Final = {"http": 80, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


@frozen
class Target:
    """Where a URL leads."""

    host: str
    port: int
    secure: bool

    @property
    def authority(self) -> str:
        """Host and port as HTTP wants them, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        return is_this_machine(self.host)


def parse_url(url: str) -> Target:
    """Return where a URL leads. Raises `StartError` for one that is none of a WebSocket."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, brackets that don't match
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.scheme not in ("ws", "wss") or not host or port == 0:
        raise StartError(
            f"cannot connect to {url!r}: a URL like wss://host:port/path is wanted",
            StartCause.CONFIG,
        )
    if parts.username is not None:
        raise StartError(
            f"the URL to {host} has a user in it: send it as a header,"
            ' {"Authorization": "Basic ..."}',
            StartCause.CONFIG,
        )
    secure = parts.scheme == "wss"
    return Target(host, port or (443 if secure else 80), secure)


def dial(target: Target, *, proxy: str | None, timeout: float) -> socket.socket:
    """Connect by TCP, through a proxy where there is one. TLS is not begun yet.

    `proxy` is a URL, None for what the environment says. Each step may take `timeout` seconds.
    """
    via = choose_proxy(target, proxy)
    if via is None:
        sock = socket.create_connection((target.host, target.port), timeout)
    elif via.scheme == "http":
        assert via.hostname is not None
        sock = socket.create_connection((via.hostname, _port(via)), timeout)
        try:
            _tunnel(sock, target, via)
        except BaseException:
            sock.close()
            raise
    else:
        sock = _dial_by_socks(target, via, timeout)
    _set_options(sock)
    return sock


def choose_proxy(target: Target, given: str | None) -> SplitResult | None:
    """Return the proxy to take: the given one always, else the environment's.

    None for a server on this machine (a proxy can't reach our loopback), or for one that
    `no_proxy` names. Raises `StartError` for a proxy that is no URL.
    """
    if given is not None:
        return _parse_proxy(given)
    if target.is_loopback:
        return None
    proxies = getproxies()  # names in any case; what the system has set, on macOS
    url = proxies.get("https" if target.secure else "http") or proxies.get("all")
    if not url or _is_excepted(target, proxies.get("no", "")):
        return None
    return _parse_proxy(url)


def _parse_proxy(url: str) -> SplitResult:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = bool(parts.hostname) and parts.scheme in _PROXY_PORTS and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise StartError(
            "the proxy is no URL like http://host:port (or"
            f" {', '.join(scheme for scheme in _PROXY_PORTS if scheme != 'http')})",
            StartCause.CONFIG,
        )
    return parts


def _port(proxy: SplitResult) -> int:
    return proxy.port or _PROXY_PORTS[proxy.scheme]


def _is_excepted(target: Target, no_proxy: str) -> bool:
    """Whether `no_proxy` names a host, its domain (`x`, `.x`, `*.x`), its network or its port."""
    return any(_names(entry, target) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


def _names(entry: str, target: Target) -> bool:
    if entry == "*":
        return True
    with contextlib.suppress(ValueError):
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(target.host) in network
        return False
    name, colon, port = entry.rpartition(":")
    if not (colon and port.isdigit()):
        name, port = entry, str(target.port)
    host, domain = target.host.lower().rstrip("."), name.removeprefix("*").strip(".[]")
    if port != str(target.port):
        return False
    return host == domain or host.endswith(f".{domain}")


def _tunnel(sock: socket.socket, target: Target, proxy: SplitResult) -> None:
    """Ask an HTTP proxy for a connection. Raises `StartError` when it says no."""
    lines = [f"CONNECT {target.authority} HTTP/1.1", f"Host: {target.authority}"]
    credentials = _credentials(proxy)
    if credentials is not None:
        encoded = base64.b64encode(":".join(credentials).encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {encoded}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    with contextlib.closing(Response(sock, method="CONNECT")) as response:
        response.begin()
    if response.status // 100 != 2:
        raise StartError(
            f"the proxy did not connect us to {target.host} (status {response.status}"
            f" {response.reason}): check its address and credentials, and whether it lets that"
            " host through",
            StartCause.NETWORK,
        )


def _credentials(proxy: SplitResult) -> tuple[str, str] | None:
    if proxy.username is None:
        return None
    return unquote(proxy.username), unquote(proxy.password or "")


def _dial_by_socks(target: Target, proxy: SplitResult, timeout: float) -> socket.socket:
    if importlib.util.find_spec("python_socks") is None:
        raise StartError(
            "a SOCKS proxy needs python-socks: pip install python-socks", StartCause.CONFIG
        )
    from python_socks import ProxyError, ProxyType
    from python_socks.sync import Proxy

    user, password = _credentials(proxy) or (None, None)
    connecting = Proxy(
        proxy_type=ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5,
        host=proxy.hostname,
        port=_port(proxy),
        username=user,
        password=password,
        rdns=proxy.scheme in ("socks4a", "socks5h"),  # the proxy looks the name up
    )
    try:
        sock: socket.socket = connecting.connect(target.host, target.port, timeout=timeout)
    except ProxyError as error:
        raise StartError(
            f"the proxy did not connect us to {target.host} ({error}): check its address and"
            " credentials, and whether it lets that host through",
            StartCause.NETWORK,
        ) from error
    sock.settimeout(timeout)
    return sock


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Linux has all of these, other systems some.
    for name, value in {**_KEEP_ALIVE, "TCP_USER_TIMEOUT": _UNACKNOWLEDGED_MS}.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


_Stamp: TypeAlias = tuple[object, ...]

_lock = threading.Lock()  # guards the contexts
_contexts: dict[str | None, tuple[_Stamp, ssl.SSLContext]] = {}
hold_over_fork(_lock)


def ssl_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the TLS settings for a CA bundle: a file, a directory, or None for the system's.

    Made once (loading the system's takes 20 ms and 1 MB), and anew when the certificates on
    the disk have changed: what was added is trusted, what was withdrawn is not. Raises
    `StartError` for what is no PEM.
    """
    stamp = _stamp(ca_bundle)
    with _lock:
        known = _contexts.get(ca_bundle)
        if known is None or known[0] != stamp:
            known = _contexts[ca_bundle] = stamp, _make_context(ca_bundle)
        return known[1]


def _stamp(ca_bundle: str | None) -> _Stamp:
    """Return what changes when the certificates do."""
    if ca_bundle is not None:
        return _file_stamp(ca_bundle)
    places = ssl.get_default_verify_paths()
    return tuple(_file_stamp(place) for place in (places.cafile, places.capath) if place)


def _file_stamp(path: str) -> _Stamp:
    try:
        entries = [path] if not os.path.isdir(path) else [entry.path for entry in os.scandir(path)]
        stats = [(entry, os.stat(entry)) for entry in sorted(entries)]
    except OSError:
        return ()  # making the context will say what is wrong
    return tuple((name, each.st_mtime_ns, each.st_size, each.st_ino) for name, each in stats)


def _make_context(ca_bundle: str | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return ssl.create_default_context()
    try:
        if Path(ca_bundle).is_dir():
            return ssl.create_default_context(capath=ca_bundle)
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:  # ssl.SSLError is one
        raise StartError(
            f"ca_bundle {ca_bundle!r} is no PEM file or directory of certificates: {error}",
            StartCause.CONFIG,
        ) from error

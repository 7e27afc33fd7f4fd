"""An HTTP response on a socket that is to be used for something else afterwards.

Read by the standard library's `http.client`, which forgives what servers and gateways get
wrong (headers in Latin-1, lines without a colon, one header in two lines), and bounds what
they may send.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
import zlib
from typing import Final

__all__ = ["Response"]

_LONGEST_BODY: Final = 64 * 1024
"""Bytes of a refusal's body that are read: its words are at the beginning."""
_BODY_WITHIN: Final = 1.0
"""Seconds for a refusal's body. A server that announces more than it sends is not waited for."""
_MOST_INTERIM: Final = 10


class Response(http.client.HTTPResponse):
    """A response of which no byte more is read than belongs to it.

    Nothing is read before `begin`. Closing it leaves the socket open.
    """

    def __init__(self, sock: socket.socket, *, method: str = "GET") -> None:
        super().__init__(sock, method=method)
        self._socket = sock
        # Unbuffered: what follows the response is not http.client's to take.
        self.fp.close()
        self.fp = sock.makefile("rb", buffering=0)  # type: ignore[assignment]  # it takes both

    def begin(self) -> None:
        """Read the head. Informational responses before it are skipped.

        101 is final here; 100, 103 and their like announce another.
        """
        for _ in range(_MOST_INTERIM):
            self.headers = None  # type: ignore[assignment]  # what it begins with
            super().begin()
            if self.status == 101 or self.status >= 200:
                return
        raise http.client.HTTPException("one informational response after the other")

    def words(self) -> bytes:
        """Return the beginning of the body, as far as it comes soon, decompressed."""
        # The connection is of no use afterwards, so it may be read ahead now.
        self.fp = io.BufferedReader(self.fp)  # it was raw
        deadline, body = time.monotonic() + _BODY_WITHIN, bytearray()
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while len(body) < _LONGEST_BODY and (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                piece = self.read1(_LONGEST_BODY)
                if not piece:
                    break
                body += piece
        if self.headers.get("content-encoding", "identity").lower() in ("gzip", "deflate"):
            with contextlib.suppress(zlib.error):
                either = zlib.decompressobj(wbits=47)  # of both, by its header
                return either.decompress(bytes(body), _LONGEST_BODY)
        return bytes(body)

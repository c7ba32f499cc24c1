"""The cable between a host and a board: a TCP proxy that can be cut or frozen at a chosen byte."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Literal

Direction = Literal["up", "down"]
"""up: from the host to the board."""


class CuttingProxy:
    """Forwards connections on 127.0.0.1:`port` to another port; a context manager that ends them all.

    connections: how many were accepted. forwarded: the bytes that passed, by direction.
    """

    def __init__(self, target_port: int) -> None:
        self.connections = 0
        self.forwarded: dict[Direction, int] = {"up": 0, "down": 0}
        self._target_port = target_port
        self._cut_at: dict[Direction, int] = {}
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._hosts: dict[socket.socket, socket.socket] = {}  # the host's end and the board's
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Accept nothing more and cut what is open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection on its host's side; the board still gets what was forwarded."""
        with self._lock:
            doomed, self._hosts = self._hosts, {}
        for host, board in doomed.items():
            with suppress(OSError):
                host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                host.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
            host.close()
            with suppress(OSError):
                board.shutdown(socket.SHUT_WR)
        self._flowing.set()

    def cut_after(self, count_bytes: int, direction: Direction = "up") -> None:
        """Cut once, when `count_bytes` more have gone in `direction`."""
        self._cut_at[direction] = self.forwarded[direction] + count_bytes

    def freeze(self) -> None:
        """Forward nothing and close nothing, as a pulled cable does, until `thaw` or `cut`."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward again what waited."""
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                host, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                board = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                host.close()
                continue
            with self._lock:
                self._hosts[host] = board
            for source, sink, direction in ((host, board, "up"), (board, host, "down")):
                threading.Thread(target=self._forward, args=(source, sink, direction), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        with suppress(OSError):
            self._pump(source, sink, direction)
            sink.shutdown(socket.SHUT_WR)
        if (
            direction == "down"
        ):  # unread bytes would make the close a reset, which the board's input does not survive
            with suppress(OSError):
                while source.recv(16_384):
                    pass
            source.close()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        while content := source.recv(16_384):
            self._flowing.wait()
            limit = self._cut_at.get(direction)
            if limit is not None and self.forwarded[direction] + len(content) >= limit:
                del self._cut_at[direction]
                content = content[: limit - self.forwarded[direction]]
                sink.sendall(content)
                self.forwarded[direction] += len(content)
                self.cut()
                return
            sink.sendall(content)
            self.forwarded[direction] += len(content)

"""Bytes passed on between two connections, until one of them ends or a test cuts them."""

from __future__ import annotations

import contextlib
import socket
import threading


def join(client: socket.socket, port: int, limit: int | None = None) -> None:
    """Join a client with a server on loopback.

    :param limit: how many bytes of the client to pass on before both are cut.
    """
    with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server, limit)
        if limit is None:
            server.shutdown(socket.SHUT_WR)
        else:
            server.shutdown(socket.SHUT_RDWR)
        back.join()
        client.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket, limit: int | None = None) -> None:
    with contextlib.suppress(OSError):
        while (limit is None or limit > 0) and (data := source.recv(65536)):
            sink.sendall(data)
            limit = None if limit is None else limit - len(data)

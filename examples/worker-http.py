#!/usr/bin/env python3
"""The http server of worker-http.c in Python, with nothing but the standard library.

    worker-http.py            takes connections from fdsup, on descriptor 3 (worker-http-py.conf)
    worker-http.py SOCKET     waits for an acceptor there: fdsup-acceptor 127.0.0.1 8080 SOCKET

A message is one connection: one byte (the first of a longer record, whose rest is of no interest here)
and one descriptor. On TERM it takes no more, and leaves when it has answered those it has.
"""
import os
import selectors
import signal
import socket
import sys

REQUEST_MAX = 8192

selector = selectors.DefaultSelector()
requests = {}  # what each connection has sent so far


def take(queue):
    """Takes one connection without waiting: another worker may have been faster."""
    # Not recv_fds, which in Python 3.11 forgets its flags, and would wait.
    byte, messages, _, _ = queue.recvmsg(1, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
    if not byte:
        stop(queue)
    for _, _, data in messages:
        descriptor = int.from_bytes(data[:4], sys.byteorder)
        os.set_inheritable(descriptor, False)
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        requests[connection] = b""
        selector.register(connection, selectors.EVENT_READ, serve)


def serve(connection):
    """A client may hang up at any moment, which concerns nobody else here."""
    try:
        answer(connection)
    except OSError:
        end_connection(connection)


def client_of(connection):
    address = connection.getpeername()
    return address[0] if isinstance(address, tuple) else "client of a Unix socket"


def answer(connection):
    data = connection.recv(REQUEST_MAX)
    request = requests[connection] = requests[connection] + data
    head, end, _ = request.partition(b"\r\n\r\n")
    if end:
        body = "hello, %s\nworker %d, %d connections\n" % (
            client_of(connection), os.getpid(), len(requests))
        status = "200 OK" if head.startswith(b"GET ") else "405 Method Not Allowed"
        connection.send(("HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                         "Connection: close\r\n\r\n%s" % (status, len(body), body)).encode())
    if end or not data or len(request) > REQUEST_MAX:
        end_connection(connection)


def end_connection(connection):
    selector.unregister(connection)
    del requests[connection]
    connection.close()


def stop(queue):
    """What waits in the queue stays there: the other workers of the service go on."""
    if queue.fileno() >= 0:
        selector.unregister(queue)
        queue.close()


def open_queue():
    if len(sys.argv) < 2:
        return socket.socket(fileno=3)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(1)
        queue, _ = listener.accept()
    os.unlink(sys.argv[1])
    return queue


def main():
    queue = open_queue()
    # A signal wakes the selector by a byte in this pair.
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    selector.register(queue, selectors.EVENT_READ, take)
    selector.register(told, selectors.EVENT_READ, lambda _: told.recv(16) and stop(queue))
    while queue.fileno() >= 0 or requests:
        for key, _ in selector.select():
            try:
                key.data(key.fileobj)
            except BlockingIOError:
                pass
            except OSError:
                if key.fileobj in requests:
                    end_connection(key.fileobj)
                elif queue.fileno() >= 0:
                    raise


if __name__ == "__main__":
    main()

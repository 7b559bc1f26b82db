"""Clients that keep connecting, one connection after the other, and count how each ended.

How a client talks is a conversation: given a connected socket and a token that is never used twice, it
says whether the whole answer came. What it is sent must depend on the token, so that an answer to
somebody else is not taken for its own.
"""
import collections
import itertools
import random
import socket
import threading
import time

PATIENCE_S = 60
SLOW_S = 1
UNCONNECTED = ("refused", "not connected")
LOST = ("reset", "cut short", "no answer", "timeout")
FAILURES = UNCONNECTED + LOST

tokens = itertools.count(1)


def read_all(s):
    answer = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return answer
        answer += piece


def http(s, token):
    s.sendall(b"GET /%d HTTP/1.0\r\n\r\n" % token)
    answer = read_all(s)
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return bool(end) and length.isdigit() and len(body) == int(length), answer


def hesitating_http(s, token):
    """Its worker has the connection for a while before there is anything to read."""
    time.sleep(random.uniform(0, 0.02))
    return http(s, token)


def line(s, token):
    s.sendall(b"%d\n" % token)
    answer = read_all(s)
    return answer == b"got %d\n" % token, answer


def echo(s, token):
    s.sendall(b"%d\n" % token)
    s.shutdown(socket.SHUT_WR)
    answer = read_all(s)
    return answer == b"%d\n" % token, answer


def connect(address):
    """To a port of this machine or to the path of a Unix socket."""
    if isinstance(address, int):
        return socket.create_connection(("127.0.0.1", address), PATIENCE_S)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(PATIENCE_S)
    try:
        s.connect(address)
    except OSError:
        s.close()
        raise
    return s


def talk(address, conversation):
    """One connection: how it ended ("served" or one of FAILURES), and its local port if it has one."""
    try:
        s = connect(address)
    except ConnectionRefusedError:
        return "refused", None
    except OSError:
        return "not connected", None
    with s:
        port = s.getsockname()[1] if isinstance(address, int) else None
        try:
            is_whole, answer = conversation(s, next(tokens))
        except socket.timeout:
            return "timeout", port
        except OSError:
            return "reset", port
    if is_whole:
        return "served", port
    return ("cut short" if answer else "no answer"), port


class Clients:
    """`n` clients of one service, at a port or at the path of a Unix socket."""

    def __init__(self, service, address, conversation, n):
        self.service = service
        self.address = address
        self.conversation = conversation
        self.counts = collections.Counter()
        self.used = collections.Counter()   # connections by local port
        self.failed = []                    # (outcome, local port, when)
        self.n_slow = 0
        self.slowest = self.longest_gap = 0
        self.last_served = None
        self.lock = threading.Lock()
        self.is_over = False
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(n)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    def start(self):
        self.last_served = time.monotonic()
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        self._note_gap(time.monotonic())

    def _note_gap(self, now):
        self.longest_gap = max(self.longest_gap, now - self.last_served)

    def _run(self):
        while not self.is_over:
            start = time.monotonic()
            outcome, port = talk(self.address, self.conversation)
            now = time.monotonic()
            with self.lock:
                self.counts[outcome] += 1
                self.used[port] += outcome not in UNCONNECTED
                if outcome == "served":
                    self._note_gap(now)
                    self.last_served = now
                    self.slowest = max(self.slowest, now - start)
                    self.n_slow += now - start > SLOW_S
                else:
                    self.failed.append((outcome, port, time.time()))
            if outcome == "refused":
                time.sleep(0.01)

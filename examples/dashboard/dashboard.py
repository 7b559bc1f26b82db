#!/usr/bin/env python3
"""A status page for a browser, served by a worker of fdsup (dashboard.conf).

    /          the page: dashboard.html, one file
    /stream    what fdsup says of itself, once a second, as server-sent events
    /data      the same, once

All browsers share one round of questions a second, and while nobody watches none is asked. A browser that
reads too slowly gets fewer events, never older ones. The program only reads: its user needs admin.status.
"""
import json
import os
import selectors
import signal
import socket
import sys
import time

import admin

REQUEST_MAX = 8192
# Seconds: between two rounds; for a request, or for a browser that does not read; for fdsup's answers.
PERIOD, PATIENCE, ANSWER_TIMEOUT = 1.0, 15.0, 5.0

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dashboard.html")
HEADERS = ("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
           "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
           "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'\r\n"
           "Connection: close\r\n")


class Browser:
    """One connection: a request, then an answer or a stream."""

    def __init__(self, page, connection):
        self.page = page
        self.connection = connection
        self.request = b""
        self.unsent = b""
        self.is_stream = False
        self.wants_data = False
        self.is_last = False  # nothing comes after what is unsent
        self.moved = time.monotonic()

    def on_event(self, events):
        if events & selectors.EVENT_READ:
            self.read()
        if events & selectors.EVENT_WRITE:
            self.flush()

    def read(self):
        data = self.connection.recv(REQUEST_MAX)
        if not data:
            self.page.end(self)
        elif not (self.is_last or self.is_stream or self.wants_data):
            self.request += data
            head, end, _ = self.request.partition(b"\r\n\r\n")
            if end:
                self.answer(*(head.split(b"\r\n")[0].decode("latin-1").split(" ") + ["", ""])[:2])
            elif len(self.request) > REQUEST_MAX:
                self.reply("431 Request Header Fields Too Large", "text/plain", b"too long\n")

    def answer(self, method, target):
        path = target.split("?")[0]
        if method not in ("GET", "HEAD"):
            self.reply("405 Method Not Allowed", "text/plain", b"GET only\n")
        elif path == "/":
            self.reply("200 OK", "text/html; charset=utf-8", self.page.html, method)
        elif path == "/data":
            self.wants_data = True
            self.page.ask()
        elif path == "/stream":
            self.is_stream = True
            self.send(("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\nretry: 1000\n\n"
                       % HEADERS).encode())
            self.page.ask()
        else:
            self.reply("404 Not Found", "text/plain", b"there are /, /stream and /data\n", method)

    def reply(self, status, kind, body, method="GET"):
        self.is_last = True
        head = "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (
            status, kind, len(body), HEADERS)
        self.send(head.encode() + (body if method != "HEAD" else b""))

    def on_news(self, event, text):
        if self.wants_data:
            self.wants_data = False
            status = "200 OK" if event == "snapshot" else "503 Service Unavailable"
            self.reply(status, "application/json", text)
        elif self.is_stream and not self.unsent:
            self.send(b"event: %s\ndata: %s\n\n" % (event.encode(), text))

    def send(self, data):
        self.unsent += data
        self.moved = time.monotonic()
        self.flush()

    def flush(self):
        try:
            n = self.connection.send(self.unsent)
        except BlockingIOError:
            n = 0
        if n:
            self.moved = time.monotonic()
        self.unsent = self.unsent[n:]
        if self.unsent:
            self.page.watch(self, selectors.EVENT_READ | selectors.EVENT_WRITE)
        elif self.is_last:
            self.page.end(self)
        else:
            self.page.watch(self, selectors.EVENT_READ)

    def is_late(self, now):
        return now - self.moved > PATIENCE and (self.unsent or not (self.is_stream or self.wants_data))


class Page:
    """The loop: the queue that connections come from, the browsers, and the round of questions."""

    def __init__(self, queue):
        with open(PAGE, "rb") as f:
            self.html = f.read()
        self.selector = selectors.DefaultSelector()
        self.browsers = set()
        self.round = None
        self.round_began = 0.0
        self.queue = queue
        self.selector.register(queue, selectors.EVENT_READ, self.on_queue)

    # -- connections

    def on_queue(self, _):
        try:
            # Not recv_fds, which in Python 3.11 forgets its flags, and would wait.
            byte, messages, _, _ = self.queue.recvmsg(1, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not byte:
            self.stop()
        for _, _, data in messages:
            descriptor = int.from_bytes(data[:4], sys.byteorder)
            os.set_inheritable(descriptor, False)
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            browser = Browser(self, connection)
            self.browsers.add(browser)
            self.selector.register(connection, selectors.EVENT_READ, browser.on_event)

    def watch(self, browser, events):
        if browser in self.browsers:
            self.selector.modify(browser.connection, events, browser.on_event)

    def end(self, browser):
        if browser in self.browsers:
            self.browsers.remove(browser)
            self.selector.unregister(browser.connection)
            browser.connection.close()

    def stop(self):
        """Takes no more; streams end, and their browsers come back to the next worker."""
        if self.queue.fileno() >= 0:
            self.selector.unregister(self.queue)
            self.queue.close()
        for browser in list(self.browsers):
            if browser.is_stream:
                self.end(browser)

    # -- the round of questions

    def ask(self):
        if self.round:
            return
        self.round_began = time.monotonic()
        try:
            self.round = admin.Round()
        except OSError as error:
            self.tell_trouble(error)
            return
        self.selector.register(
            self.round.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self.on_round)

    def on_round(self, events):
        try:
            if events & selectors.EVENT_WRITE:
                self.round.write()
                if not self.round.unsent:
                    self.selector.modify(self.round.socket, selectors.EVENT_READ, self.on_round)
            if events & selectors.EVENT_READ and self.round.read():
                answers = self.end_round()
                self.tell("snapshot", dict(answers, at=time.time()))
        except BlockingIOError:
            pass
        except (OSError, ValueError, LookupError) as error:
            self.end_round()
            self.tell_trouble(error)

    def end_round(self):
        answers = self.round.answers
        self.selector.unregister(self.round.socket)
        self.round.close()
        self.round = None
        return answers

    def tell_trouble(self, error):
        self.tell("trouble", {"error": "%s: %s" % (admin.socket_path(), error.strerror
                                                   if getattr(error, "strerror", None) else error)})

    def tell(self, event, content):
        text = json.dumps(content).encode()
        for browser in list(self.browsers):
            try:
                browser.on_news(event, text)
            except OSError:
                self.end(browser)

    # -- time

    def is_watched(self):
        return any(b.is_stream or b.wants_data for b in self.browsers)

    def timeout(self):
        """Seconds until something is due; None: only an event can change anything."""
        return max(0.0, self.round_began + PERIOD - time.monotonic()) if self.is_watched() else (
            PATIENCE if self.browsers else None)

    def on_time(self):
        now = time.monotonic()
        for browser in [b for b in self.browsers if b.is_late(now)]:
            self.end(browser)
        if self.round and now - self.round_began > ANSWER_TIMEOUT:
            self.end_round()
            self.tell_trouble(OSError("no answer from fdsup"))
        if self.is_watched() and now - self.round_began >= PERIOD:
            self.ask()

    def run(self):
        while self.queue.fileno() >= 0 or self.browsers:
            for key, events in self.selector.select(self.timeout()):
                # One that was served before in this turn may have ended it.
                if key.fd in self.selector.get_map():
                    self.serve(key, events)
            self.on_time()

    def serve(self, key, events):
        try:
            key.data(events)
        except OSError:
            browser = getattr(key.data, "__self__", None)
            if not isinstance(browser, Browser):
                raise
            self.end(browser)


def main():
    page = Page(socket.socket(fileno=3))
    # A signal wakes the selector by a byte in this pair.
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    page.selector.register(told, selectors.EVENT_READ, lambda _: told.recv(16) and page.stop())
    page.run()


if __name__ == "__main__":
    main()

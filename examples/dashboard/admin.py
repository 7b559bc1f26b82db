"""Questions to fdsup's admin socket, for a program that must not wait: Varlink, as fdsupctl speaks it.

A message is a JSON object and a NUL. The questions of one round are sent together, and their answers come
in the same order. The loop that uses this says when the socket is ready.
"""
import json
import os
import socket

QUESTIONS = {"status": "Status", "listeners": "Listeners", "workers": "Workers"}
ANSWERS_MAX = 32 << 20


def socket_path():
    return os.environ.get("FDSUP_SOCKET", "/run/fdsup/admin.sock")


class Round:
    """One round of questions. After `read` returned it, `answers` holds {name: parameters}."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setblocking(False)
        self.waiting = list(QUESTIONS)
        self.answers = {}
        self.unread = b""
        self.unsent = b"".join(
            json.dumps({"method": "org.fdsup." + method}).encode() + b"\0" for method in QUESTIONS.values())
        try:
            self.socket.connect(socket_path())
        except OSError:
            self.socket.close()
            raise

    def write(self):
        self.unsent = self.unsent[self.socket.send(self.unsent):]

    def read(self):
        """True when all answers have come."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise OSError("fdsup has closed the admin connection")
        *whole, self.unread = (self.unread + data).split(b"\0")
        if len(self.unread) > ANSWERS_MAX:
            raise OSError("an answer of fdsup is too long")
        for message in whole:
            self.take(json.loads(message))
        return not self.waiting

    def take(self, message):
        name = self.waiting.pop(0)
        if "error" not in message:
            self.answers[name] = message["parameters"]
        elif message["error"] == "org.fdsup.PermissionDenied":
            raise OSError("this program may not read the status: name its user in admin.status")
        else:
            raise OSError("%s: %s" % (QUESTIONS[name], message["error"]))

    def close(self):
        self.socket.close()

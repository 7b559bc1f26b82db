"""A raw Varlink client: what it sends is what the test says."""
import json
import socket

from support import LONG


class Client:
    """A raw Varlink client."""

    def __init__(self, path, timeout=LONG):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)  # waits where the listener is busy; with a timeout it would not
        self.socket.settimeout(timeout)
        self.rest = b""

    def send(self, method, more=False, **parameters):
        call = {"method": method, "parameters": parameters}
        if more:
            call["more"] = True
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.rest:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(self.rest)
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()

    def is_closed(self):
        """Waits for the other side to close."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

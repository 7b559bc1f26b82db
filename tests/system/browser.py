"""A headless Chromium for tests of pages: the DevTools protocol over a pair of pipes.

Messages are JSON objects ended by a NUL, on descriptors 3 (to the browser) and 4 (from it).
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from support import LONG

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page, one after another as large as is asked for."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="fdsup-browser-")
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec 3<&%d 4>&%d; exec "$@"' % (there_in, there_out), "sh", PROGRAM, "--headless=new",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir=" + self.profile,
             "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(there_in, there_out), env=dict(os.environ, HOME=self.profile))
        os.close(there_in)
        os.close(there_out)
        self.reading, self.writing = here_in, here_out
        self.unread = b""
        self.n = 0
        self.session = None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Runtime.enable")
        self.call("Log.enable")

    def _receive(self, end):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.reading], [], [], max(0, end - time.monotonic()))
            data = os.read(self.reading, 1 << 16) if ready else b""
            if not data:
                raise AssertionError("the browser does not answer" if not ready else "the browser has ended")
            self.unread += data
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def call(self, method, **parameters):
        self.n += 1
        message = {"id": self.n, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + LONG
        while True:
            answer = self._receive(end)
            if answer.get("id") == self.n:
                if "error" in answer:
                    raise AssertionError("%s: %r" % (method, answer["error"]))
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown" or (
                    answer.get("method") == "Log.entryAdded"
                    and answer["params"]["entry"]["level"] == "error"):
                self.complaints.append(json.dumps(answer["params"]))

    def set_size(self, width, height, is_phone=False, scheme="dark"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError("%s: %r" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait_for(self, expression):
        end = time.monotonic() + LONG
        while True:
            if self.evaluate("Boolean(%s)" % expression):
                return
            if time.monotonic() > end:
                raise AssertionError("the page never came to %s; it shows:\n%s" % (
                    expression, self.evaluate("document.body.innerText")))
            time.sleep(0.05)

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except (AssertionError, OSError):
            self.process.kill()
        self.process.wait(LONG)
        os.close(self.reading)
        os.close(self.writing)
        shutil.rmtree(self.profile, ignore_errors=True)

"""The status page of examples/dashboard, run by fdsup itself and looked at with a browser.

With FDSUP_SCREENSHOTS=DIRECTORY the pages are left there as pictures.
"""
import json
import os
import pwd
import re
import signal
import unittest

from browser import PROGRAM, Browser
from support import IS_ROOT, Test, children, free_port, main, reap_orphans, wait_until

FOLDER = os.path.join(os.environ["FDSUP_SOURCE"], "examples", "dashboard")
SERVICES = '''
  echo = { port = %d; type = "builtin"; builtin = "echo"; max_connections = 4; };
  identity = { port = %d; command = [ "/bin/cat" ]; description = "who <b>is</b> it"; };
  broken = { type = "daemon"; command = [ "/bin/sh", "-c", "echo '<img src=x> no key' >&2; exit 3" ];
             restart_delay = "1h"; restart_delay_max = "1h"; };
  calm = { command = [ "/bin/sleep", "1000" ]; };
'''


@unittest.skipUnless(PROGRAM, "chromium is not installed")
class Dashboard(Test):
    def setUp(self):
        super().setUp()
        user = "nobody" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name
        self.fdsup = self.unstarted(SERVICES % (free_port(), free_port()), 'include = "fdsup.d";\n'
                                    'defaults = { address = "127.0.0.1"; };\n'
                                    'admin = { status = [ "%s" ]; };' % user)
        with open(os.path.join(FOLDER, "dashboard.conf")) as f:
            text = f.read()
        self.port = free_port()
        for old, new in (("8087;", "%d;" % self.port), ('user = "nobody"', 'user = "%s"' % user),
                         ("/usr/local/libexec/dashboard", FOLDER),
                         ("/run/fdsup/admin.sock", self.fdsup.socket_path)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        os.mkdir(os.path.join(self.fdsup.directory, "fdsup.d"))
        with open(os.path.join(self.fdsup.directory, "fdsup.d", "dashboard.conf"), "w") as f:
            f.write(text)
        self.fdsup.start()
        self.browsers = []

    def tearDown(self):
        for browser in self.browsers:
            browser.close()
        # What the browser leaves becomes our child, and is a zombie by now or soon.
        if self.browsers:
            self.fdsup.stop()
            reap_orphans()
        super().tearDown()

    def browser(self):
        browser = Browser()
        self.browsers.append(browser)
        return browser

    def show(self, *size, **keywords):
        browser = self.browser()
        browser.set_size(*size, **keywords)
        browser.open("http://127.0.0.1:%d/" % self.port)
        browser.wait_for("document.querySelectorAll('main details').length === 5")
        browser.wait_for("document.querySelector('main details.bad')")
        return browser

    def save(self, browser, name):
        if os.environ.get("FDSUP_SCREENSHOTS"):
            browser.screenshot(os.path.join(os.environ["FDSUP_SCREENSHOTS"], name + ".png"))

    def request(self, text):
        with self.connect(self.port) as s:
            s.sendall(text.encode())
            answer = self.read_all(s)
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.decode(), body

    # -- without a browser

    def test_requests(self):
        head, body = self.request("GET /data HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(head.startswith("HTTP/1.1 200 "), head)
        data = json.loads(body)
        self.assertEqual({s["name"] for s in data["status"]["services"]},
                         {"echo", "identity", "broken", "calm", "dashboard"})
        self.assertIn("dashboard", {w["service"] for w in data["workers"]["workers"]})
        head, body = self.request("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn("default-src 'none'", head)
        self.assertEqual(body, b"")
        self.assertRegex(self.request("GET /etc/passwd HTTP/1.1\r\n\r\n")[0], "^HTTP/1.1 404 ")
        self.assertRegex(self.request("POST / HTTP/1.1\r\n\r\n")[0], "^HTTP/1.1 405 ")
        self.assertRegex(self.request("x" * 8193)[0], "^HTTP/1.1 431 ")

    def test_a_browser_that_does_not_read_delays_nobody(self):
        slow = [self.connect(self.port) for _ in range(20)]
        for s in slow:
            s.sendall(b"GET /stream HTTP/1.1\r\n\r\n")
        for _ in range(3):
            self.assertIn("200 OK", self.request("GET /data HTTP/1.1\r\n\r\n")[0])

    # -- with one

    def test_large(self):
        browser = self.show(1280, 800)
        self.assertEqual(browser.evaluate("document.querySelector('main details .name').textContent"), "broken")
        why = browser.evaluate("document.querySelector('main details .why').innerText")
        self.assertRegex(why, r"exited 3(?s:.*)<img src=x> no key")
        self.assertEqual(browser.evaluate("document.querySelectorAll('main img, main b').length"), 0)
        self.assertRegex(browser.evaluate("document.getElementById('headline').textContent"), "1 of 5 needs you: broken")
        # all of its workers run: that is no limit that is reached
        self.assertEqual(browser.evaluate("[...document.querySelectorAll('main details')].find("
                                          "d => d.querySelector('.name').textContent === 'calm')"
                                          ".querySelector('.bar').className"), "bar")
        browser.evaluate("document.querySelectorAll('main details')[1].querySelector('summary').click()")
        browser.wait_for("document.querySelector('main details[open] .more dl')")
        browser.evaluate("const f = document.getElementById('filter'); f.value = 'identity';"
                         "f.dispatchEvent(new Event('input'))")
        self.assertEqual(browser.evaluate(
            "[...document.querySelectorAll('main details')].filter(d => !d.hidden).length"), 1)
        browser.evaluate("const g = document.getElementById('filter'); g.value = '';"
                         "g.dispatchEvent(new Event('input'))")
        # It is alive: what happens now is seen without a reload.
        self.fdsup.order("stop", "identity")
        browser.wait_for("[...document.querySelectorAll('main details')].some("
                         "d => d.innerText.includes('identity') && d.innerText.includes('STOPPED'))")
        self.save(browser, "large")
        self.assertEqual(browser.complaints, [])

    def test_phone_in_a_dark_room(self):
        browser = self.show(360, 740, is_phone=True)
        self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 360)
        red, green, blue = map(int, re.findall(r"\d+", browser.evaluate(
            "getComputedStyle(document.body).backgroundColor"))[:3])
        self.assertLess(max(red, green, blue), 60)
        browser.evaluate("document.querySelectorAll('main details summary').forEach(s => s.click())")
        browser.wait_for("document.querySelectorAll('main details[open] .more dl').length >= 5")
        self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 360)
        self.save(browser, "phone")
        browser.set_size(360, 740, is_phone=True, scheme="light")
        self.save(browser, "phone-light")
        self.assertEqual(browser.complaints, [])

    def test_the_stream_comes_back(self):
        browser = self.show(1024, 700)
        pid = self.fdsup.worker_pids("dashboard")[0]
        os.kill(pid, signal.SIGKILL)
        self.fdsup.wait_status("dashboard", lambda s: s["deaths"] == 1 and s["state"] == "UP", "a successor")
        self.fdsup.order("stop", "echo")
        browser.wait_for("[...document.querySelectorAll('main details')].some("
                         "d => d.innerText.includes('echo') && d.innerText.includes('STOPPED'))")


if __name__ == "__main__":
    main()

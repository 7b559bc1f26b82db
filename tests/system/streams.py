"""Answers without an end: events, logs -f and the status again and again; and who does not read them."""
import json
import os
import re
import select
import socket
import subprocess
import threading
import time

from support import BIN, IS_SANITIZED, LONG, TAKER, Test, free_port, main, needs_root, as_nobody, wait_until
from varlink_client import Client


class Following:
    """An fdsupctl that goes on, and the lines that it prints."""

    def __init__(self, fdsup, *arguments):
        self.process = subprocess.Popen([os.path.join(BIN, "fdsupctl"), "-s", fdsup.socket_path, *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode().rstrip("\n"))
                self.changed.notify_all()

    def wait_for(self, condition, what):
        with self.changed:
            if not self.changed.wait_for(lambda: any(condition(line) for line in self.lines), LONG):
                raise AssertionError("no line %s in:\n%s" % (what, "\n".join(self.lines)))
            return next(line for line in self.lines if condition(line))

    def end(self):
        if self.reader is None:
            return self.outcome
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(LONG)
        self.reader.join(LONG)
        self.process.stdout.close()
        error = self.process.stderr.read().decode()
        self.process.stderr.close()
        self.reader = None
        self.outcome = code, error
        return self.outcome


class Streams(Test):
    def setUp(self):
        super().setUp()
        self.followings = []

    def tearDown(self):
        for following in self.followings:
            following.end()
        super().tearDown()

    def follow(self, fdsup, *arguments):
        following = Following(fdsup, *arguments)
        self.followings.append(following)
        return following

    def cat(self, name, port, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def client(self, fdsup):
        client = Client(fdsup.socket_path)
        self.sockets.append(client.socket)
        return client

    def descriptors(self, fdsup):
        return len(os.listdir("/proc/%d/fd" % fdsup.pid))

    # -- events

    def event(self, following, **fields):
        line = following.wait_for(
            lambda text: all(json.loads(text).get(k) == v for k, v in fields.items()), repr(fields))
        return json.loads(line)

    def test_events_tell_what_happens(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port) + self.cat("b", free_port()))
        events = self.follow(fdsup, "events")
        self.event(events, event="begin")
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.event(events, event="state", service="a", was="ON-DEMAND", state="STARTING")
        worker = self.event(events, event="worker", service="a")
        self.assertRegex(worker["text"], r"^worker %d started$" % worker["pid"])
        self.event(events, event="state", service="a", was="STARTING", state="UP")
        fdsup.order("stop", "b")
        self.assertIn("stop ordered by", self.event(events, event="log", service="b", level="notice")["text"])
        self.event(events, event="state", service="b", state="STOPPED")
        fdsup.order("reload")
        self.assertTrue(events.wait_for(lambda text: "reloaded:" in text, "of the reload"))
        self.assertEqual(events.end()[0], -15)

    def test_clients_that_wait_are_an_event_and_so_is_their_end(self):
        """Its only worker takes nobody until it is told to: no worker comes or goes with that."""
        port = free_port()
        fdsup = self.unstarted()
        go = os.path.join(fdsup.directory, "go")
        script = os.path.join(fdsup.directory, "worker.py")
        with open(script, "w") as f:
            f.write(TAKER + """
import os, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
s = socket.socket(fileno=3)
while True:
    with socket.socket(fileno=take(s)[1]) as c:
        c.sendall(b"x")
""")
        fdsup.write('w = { address = "127.0.0.1"; port = %d; type = "worker"; command = "python3 -B %s %s";'
                    ' workers = { min = 1; max = 1; }; };' % (port, script, go))
        fdsup.start()
        # it is so for longer than clients will have to wait
        fdsup.wait_status("w", lambda s: s["state"] == "UP" and s["since_ms"] > 3000, "age")
        events = self.follow(fdsup, "events")
        self.event(events, event="begin")
        begin = time.monotonic()
        client = self.connect(port)
        self.event(events, event="state", service="w", was="UP", state="DEGRADED")
        waited = time.monotonic() - begin
        status = fdsup.status("w")
        self.assertEqual(status["state"], "DEGRADED")
        self.assertLessEqual(status["since_ms"], (time.monotonic() - begin - 1.9) * 1000)
        self.assertGreaterEqual(waited, 1.9)
        with open(go, "w"):
            pass
        self.assertEqual(client.recv(1), b"x")
        self.event(events, event="state", service="w", was="DEGRADED", state="UP")
        status = fdsup.wait_state("w", "UP")
        self.assertLess(status["since_ms"], (time.monotonic() - begin - waited) * 1000)

    def test_events_of_one_service_are_of_that_one_alone(self):
        fdsup = self.fdsup(self.cat("a", free_port()) + self.cat("b", free_port()))
        events = self.follow(fdsup, "events", "b")
        self.event(events, event="begin")
        fdsup.order("stop", "a")
        fdsup.order("reload")
        fdsup.order("stop", "b")
        self.event(events, event="state", service="b", state="STOPPED")
        self.assertEqual({json.loads(line)["service"] for line in events.lines}, {None, "b"})
        self.assertEqual(sum(json.loads(line)["service"] is None for line in events.lines), 1)

    def test_events_end_with_fdsup(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        events = self.follow(fdsup, "events")
        self.event(events, event="begin")
        fdsup.stop()
        self.assertEqual(events.process.wait(LONG), 3)

    def test_events_without_more_are_refused(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        client = self.client(fdsup)
        self.assertEqual(client.call("org.fdsup.Events")["error"], "org.varlink.service.ExpectedMore")
        self.assertEqual(fdsup.ctl("events", "c")[0], 4)

    @needs_root
    def test_events_need_the_right_to_look(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        for verb in (["events"], ["logs", "a"], ["logs", "-f", "a"]):
            code, output, error = fdsup.ctl(*verb, prefix=as_nobody())
            self.assertEqual((code, output), (4, ""), verb)
            self.assertIn("ermission denied", error)

    # -- logs

    def test_logs_show_what_programs_wrote(self):
        fdsup = self.unstarted()
        script = fdsup.script("talk", "for i in 1 2 3 4 5; do echo line $i >&2; done; printf '\\033[2J\\n' >&2; exec sleep 1000\n")
        fdsup.write('a = { command = "%s"; }; b = { command = [ "sleep", "1000" ]; stderr = "null"; };' % script)
        fdsup.start()
        wait_until("six lines", lambda: len(json.loads(fdsup.ctl("--json", "logs", "a")[1])["lines"]) == 6)
        code, output, error = fdsup.ctl("logs", "-n", "2", "a")
        self.assertEqual((code, error), (0, ""))
        self.assertRegex(output, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d line 5\n\S+ \S+ \\x1b\[2J\n$")
        self.assertEqual(fdsup.ctl("logs", "--lines=0", "a")[1], "")
        code, output, error = fdsup.ctl("logs", "b")
        self.assertEqual((code, output), (0, ""))
        self.assertIn('stderr = "log"', error)
        self.assertEqual(fdsup.ctl("logs", "c")[0], 4)
        self.assertEqual(fdsup.ctl("logs")[0], 64)
        self.assertEqual(fdsup.ctl("logs", "a", "b")[0], 64)
        self.assertEqual(fdsup.ctl("logs", "-n", "x", "a")[0], 64)

    def test_logs_that_follow_go_on(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("talk", 'read x; echo "got $x" >&2\n')
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "%s"; };' % (port, script))
        fdsup.start()
        self.talk(port, b"before\n")
        wait_until("a line", lambda: "got before" in fdsup.ctl("logs", "a")[1])
        logs = self.follow(fdsup, "logs", "-f", "-n", "1", "a")
        logs.wait_for(lambda text: text.endswith("got before"), "before")
        self.talk(port, b"after\n")
        logs.wait_for(lambda text: text.endswith("got after"), "after")
        self.assertEqual(len(logs.lines), 2)

    def test_lines_are_bounded_however_much_is_written(self):
        fdsup = self.unstarted()
        script = fdsup.script("talk", "i=0; while [ $i -lt 3000 ]; do echo $i >&2; i=$((i+1)); done; exec sleep 1000\n")
        fdsup.write('a = { command = "%s"; };' % script, top='log = { level = "error"; };')
        fdsup.start()
        wait_until("the last line", lambda: fdsup.ctl("logs", "-n", "1", "a")[1].endswith(" 2999\n"))
        self.assertEqual(len(json.loads(fdsup.ctl("--json", "logs", "-n", "100000", "a")[1])["lines"]), 500)

    # -- the status again and again

    def test_the_status_is_answered_again(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        client = self.client(fdsup)
        client.send("org.fdsup.Status", more=True, services=["a"], interval_ms=250)
        first = client.receive()
        self.assertTrue(first["continues"])
        self.assertEqual(first["parameters"]["services"][0]["state"], "ON-DEMAND")
        self.talk(port, b"x")
        wait_until("a change", lambda: client.receive()["parameters"]["services"][0]["accepted"] == 1)
        self.assertEqual(client_error(self.client(fdsup), interval_ms=-1), "org.varlink.service.InvalidParameter")

    # -- who goes, and who does not read

    def test_a_client_that_goes_leaves_nothing(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        before = self.descriptors(fdsup)
        for method in ("Events", "Logs", "Status"):
            for half_close in (False, True):
                client = self.client(fdsup)
                client.send("org.fdsup." + method, more=True, service="a")
                self.assertTrue(client.receive()["continues"])
                if half_close:
                    client.socket.shutdown(socket.SHUT_WR)
                client.close()
        wait_until("no descriptor is left", lambda: self.descriptors(fdsup) <= before)

    def test_a_client_that_has_said_all_it_had_goes_on_reading(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        before = self.descriptors(fdsup)
        client = self.client(fdsup)
        client.send("org.fdsup.Events", more=True)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(client.receive()["parameters"]["event"]["event"], "begin")
        fdsup.order("stop", "a")
        while client.receive()["parameters"]["event"].get("state") != "STOPPED":
            pass
        client.close()
        wait_until("no descriptor is left", lambda: self.descriptors(fdsup) <= before)

    def test_a_reader_that_never_reads_is_dropped_and_costs_little(self):
        fdsup = self.unstarted()
        script = fdsup.script("talk", 'while :; do echo "0123456789 0123456789 0123456789 0123456789" >&2; done\n')
        fdsup.write('a = { command = "%s"; };' % script, top='log = { level = "error"; };')
        fdsup.start()
        deaf = self.client(fdsup)
        deaf.send("org.fdsup.Logs", more=True, service="a")
        fdsup_rss = lambda: int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % fdsup.pid).read()).group(1))
        before = fdsup_rss()
        # Error is the level: that it was dropped is seen by the connection alone.
        wait_until("it is dropped", lambda: self.is_closed(deaf))
        if not IS_SANITIZED:
            self.assertLess(fdsup_rss() - before, 8 * 1024)
        self.assertEqual(fdsup.ctl("status", "a")[0], 0)

    def is_closed(self, client):
        """Without reading what has come."""
        poll = select.poll()
        poll.register(client.socket, 0)
        return bool(poll.poll(0))

    def test_a_slow_reader_is_told_what_it_missed(self):
        fdsup = self.unstarted()
        script = fdsup.script("talk", 'read x; i=0; while [ $i -lt 20000 ]; do echo $i "0123456789 0123456789" >&2; i=$((i+1)); done; echo end >&2\n')
        port = free_port()
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "%s"; };' % (port, script),
                    top='log = { level = "error"; };')
        fdsup.start()
        client = self.client(fdsup)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send("org.fdsup.Logs", more=True, service="a")
        client.receive()
        self.talk(port, b"x\n")
        seen = missed = 0
        while True:
            answer = client.receive()["parameters"]
            missed += answer["left_out"]
            seen += len(answer["lines"])
            if seen + missed == 20001:
                break
            if answer["left_out"] == 0 and seen == 20001:
                break
            if any(line["text"] == "end" for line in answer["lines"]):
                break
        self.assertEqual(seen + missed, 20001)


def client_error(client, **parameters):
    return client.call("org.fdsup.Status", **parameters).get("error")


if __name__ == "__main__":
    main()

"""Processes that stay: workers on the queue, redirect, the builtin services."""
import json
import os
import signal
import socket
import threading

from support import BIN, TAKER, Test, free_port, main, wait_until

# Takes connections from descriptor 3 in the plainest way there is: one byte, one descriptor.
WORKER = TAKER + r'''
import os, time
queue = socket.socket(fileno=3)
def tell(text):
    if "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(text, os.environ["NOTIFY_SOCKET"])
%s
tell(b"READY=1\nSTATUS=serving")
while True:
    with socket.socket(fileno=take(queue)[1]) as connection:
        connection.sendall(b"%%d\n" %% os.getpid())
'''


class Workers(Test):
    def worker(self, keys, before="", top=""):
        """Starts fdsup with one service "w" of type worker; returns it and its port."""
        port = free_port()
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "worker.py")
        with open(path, "w") as f:
            f.write(WORKER % before)
        fdsup.write('w = { address = "127.0.0.1"; port = %d; type = "worker"; %s\n'
                    ' command = [ "/usr/bin/env", "python3", "-B", "%s" ]; };' % (port, keys, path), top)
        fdsup.start()
        return fdsup, port

    def test_a_reader_of_one_byte_and_one_descriptor_serves(self):
        fdsup, port = self.worker('workers = { min = 2; max = 2; };')
        fdsup.wait_state("w", "UP")
        pids = {int(self.talk(port)) for _ in range(200)}
        self.assertLessEqual(pids, {w["pid"] for w in fdsup.workers("w")})
        self.assertEqual(fdsup.status("w")["lost"], 0)

    def test_it_is_starting_until_it_says_that_it_is_ready(self):
        fdsup, port = self.worker('ready = "notify";', "while not os.path.exists(sys.argv[0] + '.go'): time.sleep(.01)")
        self.assertEqual(fdsup.status("w")["state"], "STARTING")
        self.assertEqual(fdsup.workers("w")[0]["state"], "STARTING")
        open(os.path.join(fdsup.directory, "worker.py.go"), "w").close()
        fdsup.wait_state("w", "UP")
        pid = fdsup.workers("w")[0]["pid"]
        self.assertEqual(fdsup.workers("w")[0]["status"], "serving")
        self.assertIn("\n    it says: serving\n", fdsup.order("workers"))
        self.assertNotIn("serving", fdsup.order("workers", "-o", "pid"))
        self.assertIn("Worker %d says: serving." % pid, " ".join(fdsup.order("explain", "w").split()))
        self.assertTrue(self.talk(port))

    def test_the_free_slots_that_it_reports_are_shown_the_last_word_of_many(self):
        # as fdsup_slots() does; as often as a hostile one would, and one that makes no sense at the end
        said = ("import struct\n"
                "def slots(n):\n"
                "    report = struct.pack('=BBHiQQQQiIQQ24s24s', 5, 1, 112, 0, 0, 0, 0, 0, n, 0, 0, 0, bytes(24), bytes(24))\n"
                "    while True:\n"
                "        try:\n"
                "            queue.send(report, socket.MSG_DONTWAIT)\n"
                "            return\n"
                "        except BlockingIOError:\n"
                "            time.sleep(.001)\n"
                "for n in [*range(5000), 250, -7]:\n"
                "    slots(n)\n")
        fdsup, port = self.worker('ready = "notify"; workers = { min = 2; max = 2; };', said)
        wait_until("both are known", lambda: [w["slots"] for w in fdsup.workers("w")] == [250, 250])
        self.assertEqual(fdsup.order("workers").count("    it could serve 250 more\n"), 2)
        os.kill(fdsup.workers("w")[0]["pid"], signal.SIGKILL)
        fdsup.wait_status("w", lambda s: s["deaths"] == 1 and s["state"] == "UP", "a successor")
        wait_until("so is its successor", lambda: [w["slots"] for w in fdsup.workers("w")] == [250, 250])
        self.assertTrue(self.talk(port))

    def test_one_that_is_never_ready_is_ended_and_told(self):
        fdsup, _ = self.worker('ready = "notify"; start_timeout = "300ms";', "time.sleep(1000)")
        service = fdsup.wait_state("w", "BACKOFF")
        self.assertRegex(service["explanation"][0], "before it was ready; next try in")
        fdsup.wait_log("is not ready after 300ms .start_timeout.")

    def test_a_killed_worker_is_replaced_and_no_client_sees_it(self):
        fdsup, port = self.worker('workers = { min = 2; max = 2; };')
        stop = threading.Event()
        answers, failures = [], []

        def client():
            while not stop.is_set():
                try:
                    answers.append(self.talk(port))
                except OSError as e:
                    failures.append(e)
        threads = [threading.Thread(target=client) for _ in range(4)]
        for t in threads:
            t.start()
        for n in range(5):
            before = len(answers)
            wait_until("answers", lambda: len(answers) > before + 50)
            os.kill(fdsup.workers("w")[0]["pid"], signal.SIGKILL)
            fdsup.wait_status("w", lambda s: s["deaths"] > n and s["workers"]["used"] == 2, "its successor")
        stop.set()
        for t in threads:
            t.join()
        empty = sum(1 for a in answers if not a)
        self.assertLessEqual(len(failures) + empty, 5)

    def test_workers_are_replaced_at_max_age_without_a_gap(self):
        fdsup, port = self.worker('max_age = 1; workers = { min = 1; max = 1; };')
        first = fdsup.workers("w")[0]["pid"]
        wait_until("another one", lambda: all(w["pid"] != first for w in fdsup.workers("w")))
        self.assertTrue(self.talk(port))
        self.assertEqual(fdsup.status("w")["deaths"], 0)

    def test_workers_are_replaced_after_max_uses_and_no_client_sees_it(self):
        port = free_port()
        program = os.path.join(os.path.dirname(BIN), "examples", "worker-http")
        fdsup = self.fdsup('w = { address = "127.0.0.1"; port = %d; type = "worker"; max_uses = 40;'
                           ' workers = { min = 2; max = 2; }; command = "%s"; };' % (port, program))
        fdsup.wait_state("w", "UP")
        first = {w["pid"] for w in fdsup.workers("w")}
        answers = 0
        while first & {w["pid"] for w in fdsup.workers("w")}:
            self.assertIn(b"200 OK", self.talk(port, b"GET / HTTP/1.0\r\n\r\n"))
            answers += 1
            self.assertLess(answers, 1000)
        self.assertGreaterEqual(answers, 35)
        fdsup.wait_log("w: worker .*: max_uses is reached; another takes its place", count=2)
        service = fdsup.status("w")
        self.assertEqual((service["lost"], service["deaths"]), (0, 0))
        fdsup.wait_state("w", "UP")

    def test_workers_that_do_not_report_cannot_be_counted_and_the_log_says_so(self):
        fdsup, port = self.worker('max_uses = 3; workers = { min = 1; max = 1; };',
                                  top='ledger = "reports";')
        for _ in range(10):
            self.talk(port)
        fdsup.wait_log("its workers do not report: .*, and max_uses has no effect")

    def test_workers_that_do_not_report_are_counted_by_the_kernel(self):
        fdsup, port = self.worker('max_uses = 3; workers = { min = 1; max = 1; };')
        for _ in range(10):
            self.talk(port)
        fdsup.wait_log("its workers do not report: max_uses has no effect")
        fdsup.wait_status("w", lambda s: s["served"] == 10 and s["connections"]["used"] == 0)
        self.assertEqual(fdsup.count_log("max_connections"), 0)

    def test_a_worker_that_takes_nothing_is_restarted_when_somebody_waits(self):
        hang = "if not os.path.exists(sys.argv[0] + '.once'):\n    open(sys.argv[0] + '.once', 'w'); time.sleep(1000)"
        fdsup, port = self.worker('watchdog = "300ms"; workers = { max = 1; };', hang)
        wait_until("it hangs", lambda: os.path.exists(os.path.join(fdsup.directory, "worker.py.once")))
        self.assertTrue(self.talk(port))
        fdsup.wait_log("no worker has taken one for 300ms .watchdog.")

    def test_workers_that_take_nothing_are_given_up_like_any_that_die_early(self):
        fdsup, port = self.worker('watchdog = "200ms"; give_up = "3/1h"; workers = { max = 1; };',
                                  "time.sleep(1000)")
        s = self.connect(port)
        service = fdsup.wait_state("w", "FAILED")
        self.assertEqual((service["deaths"], service["restarts"]), (3, 3))
        self.assertRegex(service["explanation"][0],
                         r"killed by SIGTERM after \S+ \(watchdog: it took no connection\), 3rd time; next try in")
        self.assertIn("given up after 3 early deaths (give_up)", " ".join(service["explanation"]))
        self.assertEqual(fdsup.count_log("no worker has taken one for 200ms .watchdog."), 3)
        fdsup.wait_log("w: given up .give_up.; tried again in 10min")
        deaths = json.loads(fdsup.ctl("--json", "deaths")[1])["deaths"]
        delays = [death["next_try_ms"] for death in deaths]
        self.assertEqual((len(delays), delays[2]), (3, 600000))
        self.assertGreater(delays[1], delays[0])
        s.close()

    def test_the_watchdog_gives_a_new_worker_its_time(self):
        # every worker hangs; each gets the whole time before it is called hung
        fdsup, port = self.worker('watchdog = "400ms"; workers = { max = 1; };', "time.sleep(1000)")
        s = self.connect(port)
        service = fdsup.wait_status("w", lambda s: s["deaths"] >= 3, "three restarts")
        self.assertFalse(service["healthy"] and service["state"] == "UP" and service["deaths"] > 3)
        times = [m for m in fdsup.log().splitlines() if "(watchdog)" in m]
        self.assertLessEqual(len(times), 4)
        s.close()

    def test_a_worker_that_stops_its_watchdog_is_killed(self):
        fdsup, port = self.worker('watchdog = "300ms";', 'tell(b"WATCHDOG=1")')
        fdsup.wait_log("has not sent WATCHDOG=1 for 300ms")
        fdsup.wait_status("w", lambda s: s["deaths"] > 0, "its death")

    def test_silent_workers_do_not_fill_max_connections(self):
        fdsup, port = self.worker('max_connections = 20;')
        for _ in range(100):
            self.assertTrue(self.talk(port))

    # -- redirect

    def target(self, answer):
        """A server on a port of its own that answers each connection with answer(bytes)."""
        server = socket.create_server(("127.0.0.1", 0))
        self.sockets.append(server)

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(answer(self.read_all(connection.dup())))
                    connection.shutdown(socket.SHUT_WR)
        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    def test_redirect_forwards_both_ways_and_keeps_the_half_close(self):
        port = free_port()
        target = self.target(lambda b: b"%d" % len(b))
        fdsup = self.fdsup('r = { address = "127.0.0.1"; port = %d; to = "127.0.0.1:%d"; };' % (port, target))
        self.assertEqual(fdsup.status("r")["type"], "redirect")
        self.assertEqual(self.talk(port, b"x" * 3000000), b"3000000")
        fdsup.wait_status("r", lambda s: s["served"] == 1 and s["connections"]["used"] == 0, "served")
        fdsup.wait_log(r"r: END .* status=0")

    def test_redirect_to_nobody_is_told(self):
        port, nobody = free_port(), free_port()
        fdsup = self.fdsup('r = { address = "127.0.0.1"; port = %d; to = "127.0.0.1:%d"; };' % (port, nobody))
        for _ in range(4):
            try:
                self.assertEqual(self.talk(port, b"x"), b"")
            except OSError:
                pass  # reset while we still write: as good
        service = fdsup.wait_status("r", lambda s: not s["healthy"], "unhealthy")
        self.assertEqual(service["state"], "DEGRADED")
        self.assertTrue(any("refused" in line for line in service["explanation"]), service["explanation"])

    def test_a_reload_changes_the_target(self):
        port = free_port()
        one, two = self.target(lambda b: b"one"), self.target(lambda b: b"two")
        text = 'r = { address = "127.0.0.1"; port = %d; to = "127.0.0.1:%d"; };'
        fdsup = self.fdsup(text % (port, one))
        self.assertEqual(self.talk(port), b"one")
        fdsup.write(text % (port, two))
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        self.assertEqual(self.talk(port), b"two")

    # -- builtin

    def test_the_builtin_services_answer(self):
        ports = {name: free_port() for name in ("echo", "discard", "chargen", "daytime", "time")}
        fdsup = self.fdsup("\n".join('%s = { address = "127.0.0.1"; port = %d; builtin = "%s"; };' % (n, p, n)
                                     for n, p in ports.items()))
        self.assertEqual(self.talk(ports["echo"], b"hello"), b"hello")
        self.assertEqual(self.talk(ports["discard"], b"hello"), b"")
        self.assertEqual(len(self.talk(ports["time"])), 4)
        self.assertRegex(self.talk(ports["daytime"]), rb"\d\d:\d\d:\d\d")
        with self.connect(ports["chargen"]) as s:
            self.assertEqual(s.recv(5), b' !"#$')
        self.assertEqual(fdsup.status("echo")["type"], "builtin")

    def test_a_builtin_leaves_when_it_is_idle_and_comes_back(self):
        port = free_port()
        fdsup = self.fdsup('e = { address = "127.0.0.1"; port = %d; builtin = "echo"; idle_timeout = "200ms"; };' % port)
        self.assertEqual(self.talk(port, b"1"), b"1")
        fdsup.wait_state("e", "ON-DEMAND")
        self.assertEqual(self.talk(port, b"2"), b"2")
        self.assertEqual(fdsup.status("e")["deaths"], 0)

    def test_they_run_without_rights(self):
        if os.geteuid():
            self.skipTest("needs root")
        port = free_port()
        fdsup = self.fdsup('e = { address = "127.0.0.1"; port = %d; builtin = "echo"; };' % port)
        self.talk(port, b"1")
        with open("/proc/%d/status" % fdsup.workers("e")[0]["pid"]) as f:
            self.assertNotIn("Uid:\t0", f.read())


if __name__ == "__main__":
    main()

"""pause, resume and drain do what they say; check and wait say nothing and mean their exit codes."""
import os
import socket
import subprocess
import sys

from support import BIN, LONG, TAKER, Test, free_port, main, wait_until


# Dies at once until a file is there.
WORKER = TAKER + """
import os
if not os.path.exists("%s"):
    sys.exit(1)
queue = socket.socket(fileno=3)
while True:
    _, taken = take(queue)
    os.write(taken, b"served")
    os.close(taken)
"""


class Orders(Test):
    def cat(self, name, port, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def echo(self, s, text):
        s.sendall(text)
        self.assertEqual(s.recv(100), text)

    # -- pause, resume

    def test_a_paused_service_accepts_nothing_and_serves_what_it_has(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        before = self.connect(port)
        self.echo(before, b"before")
        self.assertEqual(fdsup.order("pause", "a"), "a: PAUSED\n")
        during = self.connect(port)  # the kernel completes it
        during.sendall(b"during")
        wait_until("it waits in the kernel", lambda: fdsup.listeners("a")[0]["accept_queue"] == 1)
        self.echo(before, b"still")
        status = fdsup.status("a")
        self.assertEqual((status["state"], status["healthy"], status["wanted"]), ("PAUSED", True, True))
        self.assertIn("fdsupctl resume", status["explanation"][0])
        self.assertIn("fdsupctl resume", fdsup.ctl("status")[1])
        self.assertEqual(fdsup.ctl("status")[0], 0)
        self.assertEqual(fdsup.ctl("status", "a")[0], 3)
        self.assertEqual(fdsup.listeners("a")[0]["paused"], ["paused"])
        fdsup.order("resume", "a")
        self.assertEqual(during.recv(100), b"during")
        self.echo(before, b"after")
        self.assertIn(fdsup.status("a")["state"], ("UP", "ON-DEMAND"))

    def test_a_pause_outlives_the_acceptor(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        fdsup.order("pause", "a")
        pid = fdsup.acceptor_pid()
        os.kill(pid, 9)
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() != pid)
        s = self.connect(port)
        s.sendall(b"x")
        wait_until("it waits in the kernel", lambda: fdsup.listeners("a")[0]["accept_queue"] == 1)
        fdsup.order("resume", "a")
        self.assertEqual(s.recv(100), b"x")

    def test_what_was_accepted_before_a_pause_is_served_when_a_worker_comes(self):
        port = free_port()
        fdsup = self.unstarted()
        flag = os.path.join(fdsup.directory, "flag")
        program = os.path.join(fdsup.directory, "worker.py")
        with open(program, "w") as f:
            f.write(WORKER % flag)
        fdsup.write('a = { address = "127.0.0.1"; port = %d; type = "worker"; restart_delay_max = "200ms";'
                    ' command = [ "%s", "%s" ]; };' % (port, sys.executable, program))
        fdsup.start()
        fdsup.wait_state("a", "BACKOFF")
        s = self.connect(port)
        fdsup.wait_status("a", lambda status: status["queue"]["used"] == 1, "a client in the queue")
        wait_until("it is paused between two tries",
                   lambda: fdsup.ctl("pause", "a")[0] == 0 and fdsup.status("a")["state"] == "PAUSED")
        open(flag, "w").close()
        self.assertEqual(self.read_all(s), b"served")
        self.assertEqual(fdsup.status("a")["state"], "PAUSED")

    def test_what_cannot_be_paused_says_why(self):
        fdsup = self.fdsup('d = { command = [ "sleep", "1000" ]; };' + self.cat("a", free_port())
                           + self.cat("off", free_port(), "enabled = false;"))
        for name, why in (("d", "no sockets"), ("off", "stopped")):
            code, output, error = fdsup.ctl("pause", "a", name)
            self.assertEqual((code, output), (1, ""))
            self.assertIn(why, error)
        self.assertEqual(fdsup.status("a")["state"], "ON-DEMAND")

    # -- drain

    def draining(self):
        """A service that somebody drains while it serves us: fdsup, the port, our connection, fdsupctl."""
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        s = self.connect(port)
        self.echo(s, b"x")
        drain = subprocess.Popen([os.path.join(BIN, "fdsupctl"), "-s", fdsup.socket_path, "drain", "a"],
                                 stdout=subprocess.PIPE)
        fdsup.wait_state("a", "DRAINING")
        return fdsup, port, s, drain

    def test_a_drained_service_is_stopped_when_its_last_connection_has_ended(self):
        fdsup, port, s, drain = self.draining()
        with self.assertRaises(ConnectionRefusedError):
            wait_until("the port is closed", lambda: self.connect(port).close())
        self.echo(s, b"still")
        wait_until("it is said", lambda: "1 connection is still served" in fdsup.ctl("status")[1])
        self.assertIsNone(drain.poll())
        s.close()
        self.assertEqual(drain.communicate(timeout=LONG)[0], b"a: STOPPED\n")
        self.assertEqual(drain.returncode, 0)
        self.assertFalse(fdsup.status("a")["wanted"])
        fdsup.order("start", "a")
        self.assertEqual(self.talk(port, b"again"), b"again")

    def test_a_drain_can_be_cut_short(self):
        fdsup, _, s, drain = self.draining()
        fdsup.order("stop", "a")
        drain.communicate(timeout=LONG)
        self.assertEqual(drain.returncode, 0)
        self.assertEqual(s.recv(100), b"")

    # -- check, wait

    def test_check_is_silent_and_tells_by_its_exit_code(self):
        fdsup = self.fdsup(self.cat("a", free_port()) + 'bad = { command = "/bin/false"; };')
        fdsup.wait_state("bad", "BACKOFF")
        self.assertEqual(fdsup.ctl("check"), (150, "", ""))
        self.assertEqual(fdsup.ctl("check", "a"), (0, "", ""))
        fdsup.order("stop", "bad")
        self.assertEqual(fdsup.ctl("check"), (0, "", ""))
        self.assertEqual(fdsup.ctl("check", "bad"), (3, "", ""))
        code, output, error = fdsup.ctl("check", "c")
        self.assertEqual((code, output), (4, ""))
        self.assertIn('no service "c"', error)
        fdsup.process.kill()
        fdsup.wait()
        self.assertEqual(fdsup.ctl("check"), (1, "", ""))
        wait_until("nothing is left", lambda: not self.left())

    def left(self):
        from support import children, reap_orphans
        reap_orphans()
        return children()

    def test_wait_returns_when_it_is_up(self):
        fdsup = self.unstarted()
        flag = os.path.join(fdsup.directory, "flag")
        program = fdsup.script("it", "test -e %s || exit 1\nexec sleep 1000\n" % flag)
        fdsup.write('a = { command = "%s"; };' % program + self.cat("b", free_port()))
        fdsup.start()
        fdsup.wait_state("a", "BACKOFF")
        self.assertEqual(fdsup.ctl("wait", "b"), (0, "", ""))
        self.assertEqual(fdsup.ctl("wait", "--timeout", "100ms", "a", "b"), (1, "", ""))
        waiting = subprocess.Popen([os.path.join(BIN, "fdsupctl"), "-s", fdsup.socket_path, "wait", "a"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        open(flag, "w").close()
        self.assertEqual(waiting.communicate(timeout=LONG)[0], b"")
        self.assertEqual(waiting.returncode, 0)
        self.assertEqual(fdsup.status("a")["state"], "UP")

    def test_who_stops_waiting_leaves_nothing(self):
        fdsup = self.fdsup('bad = { command = "/bin/false"; };')
        before = len(os.listdir("/proc/%d/fd" % fdsup.pid))
        for _ in range(5):
            self.assertEqual(fdsup.ctl("wait", "--timeout=10ms", "bad")[0], 1)
        wait_until("no descriptor is left", lambda: len(os.listdir("/proc/%d/fd" % fdsup.pid)) <= before)
        self.assertEqual(fdsup.ctl("wait", "--timeout=soon", "bad")[0], 64)
        self.assertEqual(fdsup.ctl("wait")[0], 64)

    def test_a_limit_that_is_nearly_reached_is_told(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, "max_connections = 5;"))
        sockets = [self.connect(port) for _ in range(4)]
        for s in sockets:
            self.echo(s, b"x")
        status = fdsup.status("a")
        self.assertTrue(status["healthy"])
        self.assertIn("max_connections", status["explanation"][0])
        self.assertEqual(fdsup.ctl("status", "a")[0], 0)
        self.assertIn("raise max_connections", fdsup.ctl("status", "a")[1])


if __name__ == "__main__":
    main()

"""A new configuration is tried before it takes the place of the old one; one that fails changes nothing."""
import json
import os
import signal
import threading
import time

from support import Load, Test, free_port, is_running, main, wait_until

# Serves as the type of its service asks for, and answers with its name. Its mood says how it starts.
PROGRAM = r'''
import os, select, signal, socket, sys, time
name, mood = sys.argv[1:3]
folder = os.path.dirname(sys.argv[0])
def tell(text):
    if "NOTIFY_SOCKET" in os.environ:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(text, os.environ["NOTIFY_SOCKET"])
if mood == "dies":
    sys.stderr.write("no licence for %s\n" % name)
    sys.exit(3)
while mood == "waits" and not os.path.exists(os.path.join(folder, "go")):
    time.sleep(.005)
while mood == "never":
    time.sleep(1000)
busy = is_over = False
def on_term(number, frame):
    global is_over
    is_over = True
    if not busy:
        os._exit(0)
# A signal right before select(2) would not be noticed until the next client: a byte wakes it.
told, wake = socket.socketpair()
wake.setblocking(False)
signal.set_wakeup_fd(wake.fileno())
signal.signal(signal.SIGTERM, on_term)
tell(b"READY=1")
def serve(sockets, take):
    global busy
    while not is_over:
        for s in select.select(sockets + [told], [], [])[0]:
            if s is told:
                continue
            busy = True
            try:
                with take(s) as connection:
                    connection.sendall(name.encode() + connection.recv(1))
            except BlockingIOError:
                pass
            busy = False
def accept(listener):
    connection = listener.accept()[0]
    connection.setblocking(True)
    return connection
# socket.recv_fds of Python 3.11 forgets its flags: it waits when another worker was faster.
def receive(queue):
    messages = queue.recvmsg(200, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)[1]
    return socket.socket(fileno=int.from_bytes(messages[0][2][:4], sys.byteorder))
if "LISTEN_FDS" in os.environ:
    listeners = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
    for s in listeners:
        s.setblocking(False)
    serve(listeners, accept)
elif "FDSUP_QUEUE" in os.environ:
    serve([socket.socket(fileno=3)], receive)
else:
    time.sleep(1000)
'''

FAST = 'restart_delay = "10ms"; stop_timeout = "2s"; '


class Rolling(Test):
    def service(self, fdsup, kind, port, mood, name="old", keys="", ready="notify"):
        where = 'address = "127.0.0.1"; port = %d;' % port if port else ""
        return ('s = { type = "%s"; %s ready = "%s"; %s %s\n'
                ' command = [ "/usr/bin/env", "python3", "-B", "%s", "%s", "%s" ]; };\n' % (
                    kind, where, ready, FAST, keys, os.path.join(fdsup.directory, "program.py"), name, mood))

    def running(self, kind, keys="", ready="notify", mood="good"):
        """fdsup with a service that is up; the port; and a function that writes its configuration."""
        port = None if kind == "daemon" else free_port()
        fdsup = self.unstarted("")
        with open(os.path.join(fdsup.directory, "program.py"), "w") as f:
            f.write(PROGRAM)

        def write(mood, name="new", keys=keys, port=port, more="", ready=ready):
            fdsup.write(self.service(fdsup, kind, port, mood, name, keys, ready) + more)
        needs_minimum = kind != "daemon" and "workers" not in keys
        keys += "workers = { min = 1; max = 1; };" if needs_minimum else ""
        write(mood, "old", keys)
        fdsup.start()
        fdsup.wait_state("s", "UP")
        return fdsup, port, lambda mood, **more: write(mood, **{"keys": keys, **more})

    def ask(self, port):
        s = self.connect(port)
        s.sendall(b"?")
        return self.read_all(s)

    def command(self, fdsup):
        """The command line of the one worker, as bytes."""
        with open("/proc/%d/cmdline" % fdsup.worker_pids("s")[0], "rb") as f:
            return f.read()

    def go(self, fdsup):
        open(os.path.join(fdsup.directory, "go"), "w").close()

    def reload_in_background(self, fdsup):
        """A thread in which fdsupctl reload runs; its `answer` when it has ended."""
        thread = threading.Thread(target=lambda: setattr(thread, "answer", fdsup.ctl("reload")))
        thread.answer = None
        thread.start()
        self.addCleanup(thread.join)
        return thread

    # -- the new one fails

    def check_given_up(self, fdsup, port, before, cause):
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1, fdsup.log())
        self.assertIn("s: the new configuration was tried and given up", error)
        self.assertIn(cause, error)
        service = fdsup.status("s")
        self.assertIn(cause, " ".join(service["explanation"]))
        self.assertFalse(service["healthy"])
        fdsup.wait_status("s", lambda s: s["workers"]["used"] == len(before), "no more workers than before")
        if port:
            self.assertEqual(fdsup.worker_pids("s"), before)
            self.assertEqual(self.ask(port), b"old?")
        self.assertEqual(fdsup.ctl("status", "s")[0], 150)

    def test_a_new_command_that_dies_leaves_the_old_one_in_service(self):
        for kind in ("worker", "listen"):
            for ready in ("notify", "exec"):
                fdsup, port, write = self.running(kind, ready=ready)
                before = fdsup.worker_pids("s")
                write("dies")
                with Load(port, answer=b"old?") as load:
                    load.wait_served(5)
                    self.check_given_up(fdsup, port, before, "no licence for new")
                    load.wait_served(5)
                self.assertEqual((load.refused, load.lost), (0, 0), (kind, ready))
                fdsup.wait_log("s: reload: given up: worker .* exited 3 .* 3 times")
                fdsup.stop()

    def test_a_new_command_that_is_never_ready_leaves_the_old_one_in_service(self):
        for kind in ("worker", "listen"):
            fdsup, port, write = self.running(kind, keys='start_timeout = "300ms";')
            before = fdsup.worker_pids("s")
            write("never")
            self.check_given_up(fdsup, port, before, "(start_timeout), before it was ready")
            fdsup.stop()

    def test_a_program_that_cannot_be_executed_leaves_the_old_one_in_service(self):
        for kind in ("worker", "listen"):
            fdsup, port, _ = self.running(kind)
            before = fdsup.worker_pids("s")
            path = fdsup.script("nonsense", "")
            with open(path, "w") as f:
                f.write("#!/no/such/interpreter\n")
            fdsup.write(self.service(fdsup, kind, port, "", keys="workers = { min = 1; max = 1; };").replace(
                '"/usr/bin/env", "python3", "-B", ', '"%s", ' % path))
            self.check_given_up(fdsup, port, before, "No such file or directory")
            fdsup.stop()

    def test_a_daemon_that_does_not_come_up_is_started_again_as_it_was(self):
        for ready in ("notify", "exec"):
            fdsup, _, write = self.running("daemon", ready=ready)
            before = fdsup.worker_pids("s")
            write("dies")
            self.check_given_up(fdsup, None, before, "no licence for new")
            fdsup.wait_status("s", lambda s: s["workers"]["used"] == 1, "one daemon")
            fdsup.wait_state("s", "DEGRADED")  # it runs, but not as the file says
            wait_until("the old command", lambda: b"old" in self.command(fdsup))
            self.assertEqual(fdsup.workers("s")[0]["generation"], 1)
            write("good", name="newer")
            fdsup.order("reload")
            self.assertIn(b"newer", self.command(fdsup))
            self.assertTrue(fdsup.status("s")["healthy"])
            fdsup.stop()

    def test_a_later_reload_tries_again_and_one_with_the_old_file_ends_the_complaint(self):
        fdsup, port, write = self.running("worker")
        for _ in range(2):
            write("dies")
            self.assertEqual(fdsup.ctl("reload")[0], 1)
        self.assertFalse(fdsup.status("s")["healthy"])
        write("good", name="old")
        fdsup.order("reload")
        self.assertTrue(fdsup.status("s")["healthy"])
        self.assertEqual(self.ask(port), b"old?")
        write("good", name="repaired")
        fdsup.order("reload")
        self.assertEqual(self.ask(port), b"repaired?")

    def test_the_old_configuration_stays_wholly_with_its_limits_and_addresses(self):
        fdsup, port, write = self.running("worker", keys="max_connections = 7;")
        other = free_port()
        write("dies", port=other, keys="max_connections = 3;")
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        service = fdsup.status("s")
        self.assertEqual(service["connections"]["limit"], 7)
        self.assertEqual(service["listen"], ["tcp 127.0.0.1:%d" % port])
        self.assertEqual(self.ask(port), b"old?")
        self.assertRaises(ConnectionRefusedError, self.connect, other)

    def test_other_services_change_all_the_same(self):
        fdsup, port, write = self.running("worker")
        other = free_port()
        write("dies", more='b = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % other)
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        self.assertEqual(self.talk(other, b"x"), b"x")
        self.assertEqual(self.ask(port), b"old?")

    # -- it takes its time

    def test_the_old_one_serves_until_the_new_one_is_ready(self):
        for kind in ("worker", "listen"):
            fdsup, port, write = self.running(kind)
            write("waits")
            thread = self.reload_in_background(fdsup)
            wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
            self.assertEqual({self.ask(port) for _ in range(10)}, {b"old?"})
            self.assertIsNone(thread.answer)
            self.go(fdsup)
            thread.join()
            self.assertEqual(thread.answer[0], 0, thread.answer)
            wait_until("the old one has gone", lambda: len(fdsup.workers("s")) == 1)
            self.assertEqual({self.ask(port) for _ in range(10)}, {b"new?"})
            fdsup.stop()

    def test_three_at_a_time_are_started_and_the_others_serve(self):
        fdsup, port, write = self.running("worker", keys="workers = { min = 8; max = 8; };")
        write("waits")
        thread = self.reload_in_background(fdsup)
        seen = []

        def look():
            states = [w["state"] for w in fdsup.workers("s")]
            seen.append(states.count("STARTING"))
            # At every moment as many are ready as before.
            self.assertGreaterEqual(states.count("READY"), 8)
            return states
        wait_until("the first", lambda: look().count("STARTING") == 1)
        with Load(port, answer=None) as load:
            load.wait_served(20)
            self.go(fdsup)
            wait_until("all of the new generation", lambda: look() and all(
                w["generation"] == 2 for w in fdsup.workers("s")))
            load.wait_served(20)
        thread.join()
        self.assertEqual((load.refused, load.lost), (0, 0))
        self.assertLessEqual(max(seen), 3)
        self.assertEqual(len(fdsup.workers("s")), 8)

    # -- several at once

    def test_another_reload_need_not_wait_for_it_and_replaces_it(self):
        fdsup, port, write = self.running("worker", keys='start_timeout = "1h";')
        write("never")
        first = self.reload_in_background(fdsup)
        wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
        write("good", name="newer")
        fdsup.order("reload")
        first.join()
        self.assertEqual(first.answer[0], 1)
        self.assertIn("another reload came before it was ready", first.answer[2])
        self.assertEqual(self.ask(port), b"newer?")
        self.assertTrue(fdsup.status("s")["healthy"])
        wait_until("no other worker", lambda: len(fdsup.workers("s")) == 1)

    def test_a_reload_of_the_same_file_lets_it_go_on(self):
        fdsup, port, write = self.running("worker")
        write("waits")
        threads = [self.reload_in_background(fdsup)]
        wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
        starting = fdsup.worker_pids("s")
        code, output, _ = fdsup.ctl("--json", "reload", "--dry-run")
        self.assertEqual(json.loads(output)["changes"][0]["action"], "keep")
        fdsup.signal(signal.SIGHUP)
        fdsup.wait_log("reloaded: 0 of 1 services changed")
        self.assertEqual(fdsup.worker_pids("s"), starting)
        self.go(fdsup)
        threads[0].join()
        self.assertEqual(threads[0].answer[0], 0)
        self.assertEqual(self.ask(port), b"new?")

    def test_a_daemon_whose_new_configuration_fails_is_corrected_before_it_is_given_up(self):
        fdsup, _, write = self.running("daemon", keys='start_timeout = "1h";')
        write("never")
        first = self.reload_in_background(fdsup)
        wait_until("the new one", lambda: [w["generation"] for w in fdsup.workers("s")] == [2])
        write("good", name="newer")
        fdsup.order("reload")
        first.join()
        self.assertEqual(first.answer[0], 1)
        self.assertIn(b"newer", self.command(fdsup))

    def test_it_is_stopped_removed_and_restarted_meanwhile(self):
        for order in ("stop", "restart", "remove", "end"):
            fdsup, port, write = self.running("worker", keys='start_timeout = "1h";')
            write("never")
            reload = self.reload_in_background(fdsup)
            wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
            pids = fdsup.worker_pids("s")
            if order == "remove":
                fdsup.write("")
                fdsup.order("reload")
            elif order == "end":
                fdsup.stop()
            else:
                fdsup.order(order, "s")
            reload.join()
            self.assertEqual(reload.answer[0] == 0, False, order)
            wait_until("those of before have ended", lambda: not any(map(is_running, pids)))
            if order == "restart":
                fdsup.wait_state("s", "DEGRADED")
                self.assertEqual(self.ask(port), b"old?")
            if order == "stop":
                fdsup.order("start", "s")
                self.assertEqual(self.ask(port), b"old?")
            fdsup.stop()

    def test_the_old_workers_die_meanwhile(self):
        for kind in ("worker", "listen"):
            fdsup, port, write = self.running(kind)
            before = fdsup.worker_pids("s")
            write("waits")
            reload = self.reload_in_background(fdsup)
            wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            self.go(fdsup)
            reload.join()
            self.assertEqual(reload.answer[0], 0, reload.answer)
            self.assertEqual(self.ask(port), b"new?")
            fdsup.stop()

    # -- ports

    def test_a_new_address_is_served_when_the_new_worker_is_ready_and_the_old_one_until_then(self):
        for kind in ("worker", "listen"):
            fdsup, port, write = self.running(kind)
            other = free_port()
            write("waits", port=other)
            reload = self.reload_in_background(fdsup)
            wait_until("one that is starting", lambda: len(fdsup.workers("s")) == 2)
            self.assertEqual(self.ask(port), b"old?")
            early = self.connect(other)
            early.sendall(b"?")
            self.go(fdsup)
            # Both share the queue until the old one has heard that it is to take no more.
            self.assertIn(self.read_all(early), (b"new?", b"old?") if kind == "worker" else (b"new?",))
            reload.join()
            self.assertEqual(reload.answer[0], 0, reload.answer)

            def is_closed():
                try:
                    self.connect(port).close()
                except ConnectionRefusedError:
                    return True
                return False
            wait_until("the old address is closed", is_closed)
            fdsup.stop()

    def test_a_port_that_moves_between_services_is_not_served_by_two(self):
        """Neither of them is tried: there is no way back for one alone."""
        fdsup, port, write = self.running("worker")
        other = free_port()
        write("good", port=other, more='b = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        fdsup.order("reload")
        self.assertEqual({self.talk(port, b"x") for _ in range(20)}, {b"x"})
        wait_until("it is replaced all the same", lambda: self.ask(other) == b"new?")

    # -- how long the old ones may take

    def test_what_the_old_ones_serve_may_go_on_for_drain_timeout(self):
        port = free_port()
        service = ('s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; stop_timeout = "2s";'
                   ' drain_timeout = "300ms"; %s };')
        fdsup = self.fdsup(service % (port, ""))
        running = self.connect(port)
        running.sendall(b"x")
        self.assertEqual(running.recv(1), b"x")
        begin = time.monotonic()
        fdsup.write(service % (port, 'umask = "077";'))
        fdsup.order("reload")
        self.assertEqual(self.read_all(running), b"")
        self.assertGreater(time.monotonic() - begin, 0.3)
        fdsup.wait_log(r"s: worker \d+ has not finished after 300ms \(drain_timeout\); it is ended")

    def test_a_removed_service_may_go_on_for_drain_timeout(self):
        port = free_port()
        fdsup = self.fdsup('s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; stop_timeout = "2s";'
                           ' drain_timeout = "300ms"; };' % port)
        running = self.connect(port)
        running.sendall(b"x")
        self.assertEqual(running.recv(1), b"x")
        fdsup.write("")
        fdsup.order("reload")
        self.assertEqual(self.read_all(running), b"")
        wait_until("it is gone", lambda: fdsup.status()["services"] == [])


if __name__ == "__main__":
    main()

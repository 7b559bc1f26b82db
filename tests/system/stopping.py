"""Stopping ends everything, in order and in time; what was stopped can be started again."""
import json
import os
import resource
import signal
import socket
import time

from support import LONG, Load, Test, children, descendants, free_port, is_running, main, wait_until

IGNORES = "trap '' TERM; echo ready; while :; do sleep 1000 & wait; done"


class Stopping(Test):
    def sh(self, name, port, text, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c", "%s" ]; %s };\n' % (
            name, port, text.replace('"', '\\"'), keys)

    def refused(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), LONG).close()
        except ConnectionRefusedError:
            return True
        return False

    def ready(self, port):
        """A connection whose command has said that it is ready."""
        s = self.connect(port)
        self.assertEqual(s.recv(6), b"ready\n")
        return s

    # -- the whole

    def test_term_and_int_end_everything_and_leave_no_file(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            port = free_port()
            fdsup = self.fdsup(self.sh("a", port, "echo ready; exec cat") + 'b = { command = "/bin/sleep 1000"; };')
            self.ready(port)
            fdsup.wait_state("b", "UP")
            self.assertIn("admin.sock", os.listdir(fdsup.runtime_dir))
            fdsup.signal(number)
            self.assertEqual(fdsup.wait(), 0)
            self.assertEqual(os.listdir(fdsup.runtime_dir), [])
            self.assertTrue(self.refused(port))
            self.assertEqual(children(), {})
            self.assertIn("stopped", fdsup.lines[-1])

    def test_an_acceptor_that_hangs_holds_nothing_up_for_long(self):
        fdsup = self.fdsup(self.sh("a", free_port(), "exec cat"))
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertRegex(fdsup.log(), "acceptor %d was told to end and has not: it is killed" % acceptor)

    def test_a_keeper_that_hangs_holds_no_port(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat"))
        os.kill(next(p for p, name in children(fdsup.pid).items() if name == "fdsup-keeper"), signal.SIGSTOP)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertTrue(self.refused(port))
        self.assertEqual(children(), {})

    def test_running_commands_are_asked_before_they_are_killed(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "trap 'echo bye; exit 5' TERM; echo ready;"
                                   " while :; do sleep 1000 & wait; done"))
        s = self.ready(port)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(self.read_all(s), b"bye\n")
        self.assertEqual(fdsup.wait(), 0)
        self.assertRegex(fdsup.log(), r"a: END .* status=5")

    def test_commands_that_ignore_the_signal_are_killed_after_stop_timeout(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, IGNORES, 'stop_timeout = "600ms";'))
        self.ready(port)
        begin = time.monotonic()
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertGreater(time.monotonic() - begin, 0.6)
        self.assertRegex(fdsup.log(), r"a: END .* signal=KILL")

    def test_daemons_that_ignore_the_signal_are_killed_after_stop_timeout(self):
        fdsup = self.fdsup('a = { command = [ "/bin/sh", "-c", "%s" ]; stop_timeout = "600ms"; };' % IGNORES)
        fdsup.wait_log("a: stderr: ready")
        begin = time.monotonic()
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertGreater(time.monotonic() - begin, 0.6)

    def test_a_second_term_hurries(self):
        port = free_port()
        fdsup = self.fdsup(
            self.sh("a", port, IGNORES, 'stop_timeout = "1h";') +
            'b = { command = [ "/bin/sh", "-c", "%s" ]; stop_timeout = "1h"; };' % IGNORES)
        self.ready(port)
        fdsup.wait_log("b: stderr: ready")
        fdsup.signal(signal.SIGTERM)
        fdsup.wait_log("stopping 2 services")
        self.assertTrue(fdsup.status()["daemon"]["stopping"])
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)

    def test_a_second_term_hurries_what_programs_left_behind_as_well(self):
        fdsup = self.unstarted()
        script = fdsup.script("forks", self.FORKS)
        fdsup.write('a = { command = "%s"; stop_timeout = "1h"; restart = "never"; };' % script)
        fdsup.start()
        fdsup.wait_log(r"a: stderr: (\d+)$")
        fdsup.signal(signal.SIGTERM)
        fdsup.wait_log("stopping 1 service$")
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertEqual(children(), {})

    def test_stop_signal_is_the_one_of_the_file(self):
        port = free_port()
        # TERM is caught, not ignored: what the shell starts must not inherit that.
        text = ("trap 'echo USR1 >&2; exit 0' USR1; trap : TERM; echo ready;"
                " while :; do sleep 1000 & wait; done")
        fdsup = self.fdsup(self.sh("a", port, text, 'stop_signal = "USR1"; stop_timeout = "1h";') +
                           'b = { command = [ "/bin/sh", "-c", "%s" ]; stop_signal = "USR1"; stop_timeout = "1h"; };'
                           % text.replace("echo ready", "echo ready >&2"))
        self.ready(port)
        fdsup.wait_log("b: stderr: ready")
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertRegex(fdsup.log(), "a: stderr: USR1")
        self.assertRegex(fdsup.log(), "b: stderr: USR1")

    def test_a_suspended_command_is_ended(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "echo ready; exec cat", 'log = [ "start" ]; stop_timeout = "1h";'))
        self.ready(port)
        os.kill(int(fdsup.wait_log(r"START .* pid=(\d+)")[1]), signal.SIGSTOP)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)

    def test_a_suspended_daemon_is_ended(self):
        fdsup = self.fdsup('a = { command = "/bin/sleep 1000"; stop_timeout = "1h"; };')
        fdsup.wait_state("a", "UP")
        os.kill(fdsup.worker_pids("a")[0], signal.SIGSTOP)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)

    def test_stopping_while_clients_keep_coming(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat"))
        with Load(port) as load:
            load.wait_served(50)
            fdsup.signal(signal.SIGTERM)
            self.assertEqual(fdsup.wait(), 0)
        self.assertEqual(children(), {})

    def test_a_thousand_live_commands_are_ended(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 2500:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2500), hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat", 'max_connections = 0; log = [ ];'))
        clients = []
        for _ in range(1000):
            s = self.connect(port)
            s.sendall(b"x")
            clients.append(s)
        for s in clients:
            self.assertEqual(s.recv(1), b"x")
        begin = time.monotonic()
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        # All were asked at the same time: nobody had to be killed when stop_timeout was over.
        self.assertLess(time.monotonic() - begin, 9)
        for s in clients:
            self.assertEqual(s.recv(1), b"")
        self.assertEqual(children(), {})

    # -- descendants

    # Twice forked, in sessions of their own, deaf to what could be asked of them: what daemons do.
    FORKS = ("setsid sleep 1000 &\n"
             "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >&2; exec sleep 1000' &\n"
             "exec sleep ${1:-0}\n")

    def test_forked_away_descendants_of_a_stopped_service_are_ended(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("forks", self.FORKS)
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "%s"; stop_timeout = "500ms"; };\n'
                    'b = { command = "%s 1000"; stop_timeout = "500ms"; };\n'
                    'c = { command = "/bin/sleep 1000"; };' % (port, script, script))
        fdsup.start()
        self.connect(port)
        pids = {name: int(fdsup.wait_log(r"%s: stderr: (\d+)$" % name)[1]) for name in "ab"}
        for name in "ab":
            self.assertTrue(is_running(pids[name]))
            fdsup.order("stop", name)
            self.assertFalse(is_running(pids[name]), name)
        self.assertEqual(fdsup.status("c")["state"], "UP")
        wait_until("nothing but c", lambda: list(descendants(fdsup.pid).values()).count("sleep") == 1)

    def test_forked_away_descendants_are_ended_with_fdsup(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("forks", self.FORKS)
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "%s"; stop_timeout = "500ms"; };\n'
                    'b = { command = "%s 1000"; stop_timeout = "500ms"; };\n' % (port, script, script))
        fdsup.start()
        self.connect(port)
        for name in "ab":
            fdsup.wait_log(r"%s: stderr: (\d+)$" % name)
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertEqual(children(), {})

    def test_descendants_that_cleared_their_environment_are_ended_with_fdsup(self):
        fdsup = self.unstarted()
        script = fdsup.script("clears", "setsid env -i sh -c 'echo $$ >&2; exec sleep 1000' &\nexec sleep 1000\n")
        fdsup.write('a = { command = "%s"; stop_timeout = "500ms"; };' % script)
        fdsup.start()
        fdsup.wait_log(r"a: stderr: \d+$")
        fdsup.signal(signal.SIGTERM)
        self.assertEqual(fdsup.wait(), 0)
        self.assertEqual(children(), {})

    # -- one service

    def test_stop_closes_the_listener_and_start_opens_it(self):
        port, other = free_port(), free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat") + self.sh("b", other, "exec cat"))
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(fdsup.order("stop", "a"), "a: STOPPED\n")
        self.assertTrue(self.refused(port))
        service = fdsup.status("a")
        self.assertEqual((service["state"], service["wanted"], service["healthy"]), ("STOPPED", False, True))
        self.assertEqual(self.talk(other, b"x"), b"x")
        self.assertEqual(fdsup.ctl("status")[0], 0)
        self.assertEqual(fdsup.ctl("status", "a")[0], 3)
        self.assertRegex(fdsup.order("start", "a"), "^a: (ON-DEMAND|UP)\n$")
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(fdsup.ctl("status", "a")[0], 0)

    def test_stop_ends_the_commands_and_counts_them(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "echo ready; exec cat"))
        connections = [self.ready(port) for _ in range(3)]
        fdsup.wait_status("a", lambda s: s["connections"]["used"] == 3, "three")
        fdsup.order("stop", "a")
        for s in connections:
            self.assertEqual(self.read_all(s), b"")
        fdsup.wait_log("a: END .* signal=TERM", 3)
        self.assertEqual(fdsup.status("a")["connections"]["used"], 0)
        self.assertEqual(fdsup.workers("a"), [])

    def test_commands_that_are_ended_by_an_order_or_a_reload_have_not_failed(self):
        port = free_port()
        # as one that says by its status that it was interrupted
        text = self.sh("a", port, "trap 'exit 1' TERM; echo ready; while :; do read line; done", "drain_timeout = %s;")
        fdsup = self.fdsup(text % '"1h"')
        for end in (lambda: fdsup.order("restart", "a"), lambda: fdsup.order("stop", "a"),
                    lambda: fdsup.write(text.replace("echo ready", "echo other; echo ready") % '"100ms"')
                    or fdsup.order("reload")):
            connections = [self.ready(port) for _ in range(3)]
            ended = fdsup.count_log("a: END")
            end()
            for s in connections:
                self.read_all(s)
            fdsup.wait_log("a: END .* status=1", ended + 3)
            fdsup.order("start", "a")
            service = fdsup.wait_status("a", lambda s: s["connections"]["used"] == 0, "none")
            self.assertEqual((service["healthy"], service["failed"], service["explanation"]), (True, 0, []))
            self.assertEqual(fdsup.ctl("check", "a")[0], 0)
        self.assertEqual(json.loads(fdsup.order("--json", "deaths"))["deaths"], [])

    def test_stop_answers_when_it_has_happened(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, IGNORES, 'stop_timeout = "500ms"; log = [ "start" ];'))
        self.ready(port)
        pid = int(fdsup.wait_log(r"START .* pid=(\d+)")[1])
        fdsup.order("stop", "a")
        self.assertFalse(is_running(pid))

    def test_restart_gives_new_processes_and_keeps_the_listener(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat") + 'b = { command = "/bin/sleep 1000"; };')
        with Load(port) as load:
            load.wait_served(20)
            before = fdsup.worker_pids("a")
            fdsup.order("restart", "a")
            load.wait_served(20)
        self.assertEqual(load.refused, 0)
        self.assertEqual(set(before) & set(fdsup.worker_pids("a")), set())
        before = fdsup.worker_pids("b")
        self.assertEqual(fdsup.order("restart", "b"), "b: UP\n")
        after = fdsup.worker_pids("b")
        self.assertEqual((len(after), set(before) & set(after)), (1, set()))

    def test_a_daemon_that_does_not_come_up_makes_start_fail_with_the_cause(self):
        fdsup = self.unstarted()
        script = fdsup.script("it", "exec sleep 1000\n")
        fdsup.write('a = { command = "%s"; };' % script)
        fdsup.start()
        fdsup.order("stop", "a")
        fdsup.script("it", "echo no licence >&2; exit 3\n")
        code, output, error = fdsup.ctl("start", "a")
        self.assertEqual((code, output), (1, ""))
        self.assertIn("exited 3", error)
        self.assertIn("no licence", error)
        os.unlink(script)
        fdsup.order("stop", "a")
        code, output, error = fdsup.ctl("start", "a")
        self.assertEqual((code, output), (1, ""))
        self.assertIn("No such file or directory", error)

    def test_start_fails_with_the_name_of_who_took_the_port(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat"))
        fdsup.order("stop", "a")
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            code, output, error = fdsup.ctl("start", "a")
            self.assertEqual((code, output), (1, ""))
            self.assertIn("cannot listen on tcp 127.0.0.1:%d: address in use" % port, error)
            self.assertRegex(error, r"held by pid %d \(python" % os.getpid())
            self.assertEqual(fdsup.status("a")["state"], "STOPPED")
        fdsup.order("start", "a")
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_orders_repeated_change_nothing(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat"))
        for _ in range(2):
            fdsup.order("stop", "a")
        for _ in range(2):
            fdsup.order("start", "a")
        self.assertEqual(self.talk(port, b"x"), b"x")
        pids = fdsup.worker_pids("a")
        fdsup.order("start", "a")
        self.assertEqual(fdsup.worker_pids("a"), pids)

    def test_an_unknown_service_is_refused_with_a_suggestion_and_nothing_is_done(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("mail", port, "exec cat"))
        code, _, error = fdsup.ctl("stop", "mail", "mial")
        self.assertEqual(code, 1)
        self.assertIn('did you mean "mail"', error)
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_stopping_and_starting_leaves_no_descriptor_behind(self):
        port = free_port()
        fdsup = self.fdsup(self.sh("a", port, "exec cat"))
        self.assertEqual(self.talk(port, b"x"), b"x")
        before = len(os.listdir("/proc/%d/fd" % fdsup.pid))
        for _ in range(15):
            fdsup.order("stop", "a")
            self.assertTrue(self.refused(port))
            fdsup.order("start", "a")
            self.assertEqual(self.talk(port, b"x"), b"x")
        wait_until("no more descriptors", lambda: len(os.listdir("/proc/%d/fd" % fdsup.pid)) <= before)


if __name__ == "__main__":
    main()

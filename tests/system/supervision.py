"""What dies is replaced, and what it left behind is neither lost nor forgotten."""
import json
import os
import re
import signal
import time

from support import (Load, Test, children, count_descriptors, descendants, free_port, is_running, main, reap_orphans,
                     wait_until, zombies)


def seconds(text):
    """"1.6s", "350ms", "2min" as a number."""
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|min)", text).groups()
    return float(number) * {"ms": 0.001, "s": 1, "min": 60}[unit]


class Supervision(Test):
    def cat(self, port, keys=""):
        return ('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat";'
                ' log = [ "start", "end", "refuse" ]; %s };' % (port, keys))

    def talking(self, fdsup, port, n):
        """n connections whose command has answered."""
        connections = [self.connect(port) for _ in range(n)]
        for s in connections:
            self.say(s)
        fdsup.wait_log(r"cat: START ", n)
        return connections

    def say(self, s):
        s.sendall(b"hello")
        self.assertEqual(s.recv(5), b"hello")

    def hang_up(self, s):
        s.shutdown(1)
        self.assertEqual(self.read_all(s), b"")

    def kill_worker(self, fdsup, name):
        """Kills a worker that runs now, and waits until that is known."""
        def victim():
            ready = [w["pid"] for w in fdsup.workers(name) if w["state"] == "READY"]
            return ready and ready[0]
        pid = wait_until("a worker", victim)
        os.kill(pid, signal.SIGKILL)
        fdsup.wait_log(r"%s: (worker|daemon) %d killed by SIGKILL" % (name, pid))
        return pid

    def kill_acceptor(self, fdsup):
        before = fdsup.acceptor_pid()
        n_before = fdsup.count_log("acceptor killed by SIGKILL")
        os.kill(before, signal.SIGKILL)
        fdsup.wait_log("acceptor killed by SIGKILL", n_before + 1)
        wait_until("another acceptor",
                   lambda: fdsup.status()["daemon"]["acceptors"][0]["pid"] not in (None, before))

    # -- what is said of a death

    def test_a_death_says_whether_and_when_another_is_started(self):
        ports = [free_port() for _ in range(2)]
        fdsup = self.fdsup("".join(
            '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; workers = { min = %d; max = 2; }; };\n'
            % (name, port, least) for name, port, least in zip(("demand", "kept"), ports, (0, 1))))
        for name, port in zip(("demand", "kept"), ports):
            client = self.connect(port)
            self.say(client)
            self.hang_up(client)
            fdsup.wait_status(name, lambda s: s["served"] == 1, "its end")
            self.kill_worker(fdsup, name)
        fdsup.wait_log("demand: worker .* killed by SIGKILL after .*; the next client has another started$")
        fdsup.wait_log("kept: worker .* killed by SIGKILL after .*; replaced at once$")
        self.assertEqual(fdsup.status("demand")["state"], "ON-DEMAND")
        fdsup.wait_state("kept", "UP")
        # one more is started while a client waits, and is not missed then
        first, = fdsup.worker_pids("kept")
        os.kill(first, signal.SIGSTOP)
        client = self.connect(ports[1])
        self.say(client)
        second, = set(fdsup.worker_pids("kept")) - {first}
        os.kill(first, signal.SIGCONT)
        self.hang_up(client)
        os.kill(second, signal.SIGKILL)
        fdsup.wait_log("kept: worker %d killed by SIGKILL after .*; 1 other goes on$" % second)
        self.assertIsNone(json.loads(fdsup.order("--json", "deaths", "kept"))["deaths"][-1]["next_try_ms"])

    # -- deaths under load

    def test_killed_workers_cost_no_client_but_the_one_in_their_hands(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { max = 2; };"))
        kills = 8
        with Load(port) as load:
            for _ in range(kills):
                load.wait_served(20)
                self.kill_worker(fdsup, "cat")
            load.wait_served(20)
        self.assertEqual(load.refused, 0)
        self.assertLessEqual(load.lost, kills)
        service = fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "no connections")
        self.assertLessEqual(service["lost"], kills)
        self.assertEqual(service["accepted"], service["served"] + service["lost"] + service["refused"])

    def test_killed_acceptors_cost_no_client_but_the_one_in_their_hands(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        kills = 5
        with Load(port) as load:
            for _ in range(kills):
                load.wait_served(20)
                self.kill_acceptor(fdsup)
            load.wait_served(20)
        self.assertEqual(load.refused, 0)
        self.assertLessEqual(load.lost, kills)
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "no connections")
        self.assertEqual(fdsup.status()["daemon"]["acceptors"][0]["restarts"], kills)

    def test_a_killed_daemon_is_started_again(self):
        fdsup = self.fdsup('nap = { command = "/bin/sleep 1000"; restart_delay = "50ms"; };')
        fdsup.wait_state("nap", "UP")
        killed = self.kill_worker(fdsup, "nap")
        pids = wait_until("another daemon", lambda: fdsup.worker_pids("nap"))
        self.assertNotIn(killed, pids)
        service = fdsup.wait_state("nap", "UP")
        self.assertEqual((service["deaths"], service["restarts"]), (1, 1))

    def test_one_service_does_not_feel_the_deaths_of_another(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port) + 'bad = { command = [ "/bin/sh", "-c", "kill -9 $$" ];'
                           ' restart_delay = "10ms"; restart_delay_max = "20ms"; };')
        with Load(port) as load:
            fdsup.wait_log("bad: daemon .* killed by SIGKILL", 20)
            load.wait_served(20)
        self.assertEqual((load.refused, load.lost), (0, 0))
        self.assertEqual(fdsup.status("cat")["deaths"], 0)

    # -- running commands

    def check_commands_go_on(self, fdsup, connections):
        for s in connections:
            self.say(s)
        n = len(connections)
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == n, "%d connections" % n)
        for s in connections:
            self.hang_up(s)
        for pid in re.findall(r"cat: START .* pid=(\d+)", fdsup.log()):
            fdsup.wait_log(r"cat: END .* pid=%s .* status=0( |$)" % pid)
        service = fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "no connections")
        self.assertEqual((service["served"], service["lost"], service["failed"]), (n, 0, 0))

    def test_commands_go_on_when_their_worker_dies_and_their_end_is_known(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        connections = self.talking(fdsup, port, 5)
        self.kill_worker(fdsup, "cat")
        self.check_commands_go_on(fdsup, connections)

    def test_commands_go_on_when_the_acceptor_dies_and_their_end_is_known(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        connections = self.talking(fdsup, port, 5)
        self.kill_acceptor(fdsup)
        self.check_commands_go_on(fdsup, connections)

    def test_commands_go_on_when_both_die_one_after_the_other(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        connections = self.talking(fdsup, port, 3)
        self.kill_acceptor(fdsup)
        # The worker has told the new acceptor of them.
        wait_until("3 commands are known", lambda: fdsup.ctl("connections")[1].count(" started ") == 3)
        self.kill_worker(fdsup, "cat")
        self.check_commands_go_on(fdsup, connections)

    def test_the_status_of_a_command_whose_worker_died_is_logged(self):
        port = free_port()
        fdsup = self.fdsup('sh = { address = "127.0.0.1"; port = %d; log = [ "start", "end" ]; command ='
                           ' [ "/bin/sh", "-c", "read line; test $line = die && kill -9 $$; exit 7" ];'
                           ' };' % port)
        both = [self.connect(port), self.connect(port)]
        fdsup.wait_log("sh: START ", 2)
        self.kill_worker(fdsup, "sh")
        both[0].sendall(b"x\n")
        fdsup.wait_log(r"sh: END .* status=7( |$)")
        both[1].sendall(b"die\n")
        fdsup.wait_log(r"sh: END .* signal=KILL( |$)")
        service = fdsup.wait_status("sh", lambda s: s["connections"]["used"] == 0, "no connections")
        self.assertEqual(service["failed"], 2)

    def test_connections_that_wait_outlive_the_acceptor_and_the_workers(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_connections = 2;"))
        first = self.talking(fdsup, port, 2)
        waiting = [self.connect(port) for _ in range(3)]
        self.kill_acceptor(fdsup)
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 2, "the limit kept")
        self.kill_worker(fdsup, "cat")
        for s in first:
            self.hang_up(s)
        for s in waiting:
            self.say(s)
            self.hang_up(s)

    def test_a_limit_holds_when_the_acceptor_dies(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_connections = 3;"))
        connections = self.talking(fdsup, port, 3)
        waiting = [self.connect(port) for _ in range(3)]
        for _ in range(3):
            self.kill_acceptor(fdsup)
            fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 3, "three connections")
        # A start is told again to each new acceptor; that of another connection would be one too many.
        self.assertEqual(len(set(re.findall(r"cat: START id=(\S+)", fdsup.log()))), 3)
        for s in connections + waiting:
            self.hang_up(s)

    def test_an_acceptor_that_hangs_is_replaced_and_nobody_is_turned_away(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        connections = self.talking(fdsup, port, 2)
        hung = fdsup.acceptor_pid()
        os.kill(hung, signal.SIGSTOP)
        # It waits in the kernel meanwhile.
        waiting = self.connect(port)
        self.say(waiting)
        fdsup.wait_log("acceptor %d does not answer for 4 s" % hung)
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() not in (None, hung))
        for s in [*connections, waiting]:
            self.hang_up(s)
        service = fdsup.wait_status("cat", lambda s: s["served"] == 3, "all served")
        self.assertEqual((service["lost"], service["refused"]), (0, 0))

    def test_connections_that_an_acceptor_held_are_counted_as_lost_when_it_dies_with_its_guard(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_per_source = 1;"))
        served = self.talking(fdsup, port, 1)
        held = [self.connect(port) for _ in range(3)]
        fdsup.wait_status("cat", lambda s: s["queue"]["used"] == 3, "three held")
        guard, = wait_until("its guard", lambda: [
            pid for pid, name in children(fdsup.acceptor_pid()).items() if name == "fdsup-guard"])
        os.kill(guard, signal.SIGKILL)
        self.kill_acceptor(fdsup)
        for s in held:
            try:
                self.assertEqual(s.recv(1), b"")
            except ConnectionResetError:
                pass
        fdsup.wait_status("cat", lambda s: s["lost"] == 3, "three lost")
        self.hang_up(served[0])

    # -- restarts

    def test_restart_delays_double_up_to_the_longest(self):
        fdsup = self.fdsup('bad = { command = [ "/bin/sh", "-c", "exit 3" ]; restart_delay = "20ms";'
                           ' restart_delay_max = "150ms"; };')
        fdsup.wait_log("bad: daemon .* exited 3", 6)
        delays = [seconds(text) for text in re.findall(r"exited 3 .* next try in (\S+)", fdsup.log())]
        for delay, exact in zip(delays, (0.02, 0.04, 0.08, 0.15, 0.15, 0.15)):
            self.assertGreaterEqual(delay, exact * 0.79)
            self.assertLessEqual(delay, exact * 1.21)

    def test_restart_never_leaves_it_at_that(self):
        fdsup = self.fdsup('once = { command = [ "/bin/sh", "-c", "exit 3" ]; restart = "never"; };')
        fdsup.wait_log("once: daemon .* exited 3; restart leaves it at that")
        service = fdsup.wait_state("once", "STOPPED")
        self.assertIn("exited 3", service["explanation"][0])
        self.assertEqual((service["deaths"], service["restarts"], service["next_try_ms"]), (1, 0, None))

    def test_restart_on_failure_restarts_failures_alone(self):
        fdsup = self.unstarted()
        mark = os.path.join(fdsup.directory, "mark")
        fdsup.write('it = { command = [ "/bin/sh", "-c", "test -e %s && exit 0; : > %s; exit 1" ];'
                    ' restart = "on-failure"; restart_delay = "10ms"; };' % (mark, mark))
        fdsup.start()
        fdsup.wait_log("it: daemon .* exited 1 .*; next try in")
        fdsup.wait_log("it: daemon .* exited 0; restart leaves it at that")
        self.assertEqual(fdsup.wait_state("it", "STOPPED")["restarts"], 1)

    def test_give_up_marks_a_service_as_failed_until_it_is_started(self):
        fdsup = self.unstarted()
        script = fdsup.script("it", "echo no licence >&2\nexit 3\n")
        fdsup.write('it = { command = "%s"; restart_delay = "10ms"; give_up = "3/10s"; };' % script)
        fdsup.start()
        fdsup.wait_log("it: daemon .* given up")
        service = fdsup.wait_state("it", "FAILED")
        self.assertEqual(service["deaths"], 3)
        self.assertFalse(service["healthy"])
        explanation = "\n".join(service["explanation"])
        self.assertIn("exited 3", explanation)
        self.assertIn("no licence", explanation)
        self.assertIn("given up after 3 early deaths", explanation)
        self.assertGreater(service["next_try_ms"], 500000)
        code, _, error = fdsup.ctl("start", "it")
        self.assertEqual(code, 1, error)
        self.assertIn("exited 3", error)
        fdsup.script("it", "exec sleep 1000\n")
        fdsup.order("start", "it")
        self.assertEqual(fdsup.status("it")["state"], "UP")

    def test_a_daemon_that_exits_at_once_does_not_spin(self):
        for status in (0, 1):
            fdsup = self.fdsup('quick = { command = [ "/bin/sh", "-c", "exit %d" ]; };' % status)
            fdsup.wait_log("quick: daemon .* exited %d" % status)
            begin = time.monotonic()
            fdsup.wait_log("quick: daemon .* exited %d" % status, 4)
            # 200 ms and 20 % less for each; those of failures double.
            self.assertGreater(time.monotonic() - begin, 3 * 0.16)
            fdsup.stop()

    def test_a_listening_service_whose_command_exits_at_once_serves_every_client(self):
        port = free_port()
        fdsup = self.fdsup('bad = { address = "127.0.0.1"; port = %d; command = "/bin/false"; };' % port)
        for _ in range(100):
            self.assertEqual(self.talk(port), b"")
        service = fdsup.wait_status("bad", lambda s: s["served"] == 100, "100 served")
        self.assertEqual((service["failed"], service["deaths"]), (100, 0))

    # -- causes

    def test_a_command_that_was_removed_is_named_and_comes_back_by_itself(self):
        port = free_port()
        fdsup = self.unstarted()
        path = fdsup.script("serve", "echo here\n")
        fdsup.write('it = { address = "127.0.0.1"; port = %d; command = "%s"; };' % (port, path))
        fdsup.start()
        self.assertEqual(self.talk(port), b"here\n")
        # its good end must be known first, or it comes after the failure and heals it
        fdsup.wait_status("it", lambda s: s["served"] == 1, "the good end")
        os.unlink(path)
        self.assertEqual(self.talk(port), b"")
        service = fdsup.wait_state("it", "DEGRADED")
        self.assertIn("%s cannot be executed: No such file or directory" % path, service["explanation"][0])
        self.assertEqual(fdsup.ctl("status")[0], 150)
        self.assertIn("cannot be executed", fdsup.ctl("status")[1])
        fdsup.script("serve", "echo back\n")
        self.assertEqual(self.talk(port), b"back\n")
        self.assertEqual(fdsup.wait_state("it", "UP")["explanation"], [])

    def test_a_daemon_that_was_removed_is_named_and_comes_back_by_itself(self):
        fdsup = self.unstarted()
        path = fdsup.script("daemon", "exec sleep 1000\n")
        fdsup.write('it = { command = "%s"; restart_delay = "20ms"; restart_delay_max = "100ms"; };' % path)
        fdsup.start()
        fdsup.wait_state("it", "UP")
        os.unlink(path)
        self.kill_worker(fdsup, "it")
        service = fdsup.wait_status("it", lambda s: s["state"] == "BACKOFF" and
                                    "cannot be started" in s["explanation"][0], "the cause")
        self.assertIn("%s cannot be started: exec: No such file or directory" % path,
                      service["explanation"][0])
        fdsup.script("daemon", "exec sleep 1000\n")
        self.assertEqual(fdsup.wait_state("it", "UP")["explanation"], [])

    def test_commands_that_end_badly_are_visible_with_status_and_last_words(self):
        port = free_port()
        fdsup = self.fdsup('bad = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c",'
                           ' "echo the disk is full >&2; exit 3" ]; };' % port)
        for _ in range(3):
            self.talk(port)
        service = fdsup.wait_state("bad", "DEGRADED")
        explanation = "\n".join(service["explanation"])
        self.assertIn("the last 3 commands ended badly", explanation)
        self.assertIn("exited 3", explanation)
        self.assertIn("the disk is full", explanation)
        self.assertIn("the disk is full", service["last_words"])

    def test_commands_that_never_end_are_visible_when_they_exhaust_the_service(self):
        port = free_port()
        fdsup = self.fdsup('slow = { address = "127.0.0.1"; port = %d; max_connections = 2; command ='
                           ' "/bin/sleep 1000"; stop_timeout = "1s"; log = [ "start", "end" ]; };' % port)
        for _ in range(3):
            self.connect(port)
        fdsup.wait_log("slow: START ", 2)
        service = fdsup.wait_state("slow", "DEGRADED")
        explanation = "\n".join(service["explanation"])
        self.assertIn("max_connections is reached", explanation)
        self.assertIn("2 of 2 connections are in use", explanation)
        pids = re.findall(r"slow: START .* pid=(\d+)", fdsup.log())
        self.assertIn("(pid %s)" % pids[0], explanation)

    def test_a_daemon_that_dies_again_and_again_is_visible_with_its_last_words(self):
        fdsup = self.fdsup('bad = { command = [ "/bin/sh", "-c", "echo cannot open the door >&2; exit 4" ];'
                           ' restart_delay = "50ms"; };')
        told = r"daemon \d+ exited 4 after \S+, [345]\w\w time; next try in \d"
        service = fdsup.wait_status("bad", lambda s: re.search(told, "\n".join(s["explanation"])), "the cause")
        self.assertEqual(service["state"], "BACKOFF")
        self.assertIn("cannot open the door", "\n".join(service["explanation"]))
        self.assertEqual(service["last_words"][-1], "cannot open the door")
        self.assertEqual(fdsup.ctl("status")[0], 150)

    # -- nothing is left

    def test_no_zombies_and_no_descriptors_are_left(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port) + 'bad = { command = [ "/bin/sh", "-c", "exit 3" ];'
                           ' restart_delay = "10ms"; restart_delay_max = "10ms"; };')
        self.assertEqual(self.talk(port, b"x"), b"x")
        before = count_descriptors(fdsup.pid), count_descriptors(fdsup.acceptor_pid())
        for _ in range(50):
            self.talk(port, b"x")
        connections = self.talking(fdsup, port, 3)
        self.kill_worker(fdsup, "cat")
        for s in connections:
            self.hang_up(s)
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_log("bad: daemon .* exited 3", 20)
        wait_until("no zombies", lambda: not zombies(fdsup.pid))
        wait_until("no more descriptors than before", lambda: (
            count_descriptors(fdsup.pid), count_descriptors(fdsup.acceptor_pid())) == before)

    def test_everything_ends_when_fdsup_and_its_keeper_are_killed(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        self.assertEqual(self.talk(port, b"x"), b"x")
        keeper, = [pid for pid, name in descendants(fdsup.pid).items() if name == "fdsup-keeper"]
        rest = [fdsup.acceptor_pid(), *fdsup.worker_pids("cat")]
        os.kill(fdsup.pid, signal.SIGSTOP)  # it would start another
        os.kill(keeper, signal.SIGKILL)
        os.kill(fdsup.pid, signal.SIGKILL)
        fdsup.wait()
        wait_until("all have ended", lambda: not any(map(is_running, rest)))
        reap_orphans()

    def test_a_worker_and_then_the_acceptor_killed_leave_no_place_taken_for_ever(self):
        port = free_port()
        fdsup = self.fdsup('s = { address = "127.0.0.1"; port = %d; max_connections = 3;'
                           ' command = [ "/bin/sh", "-c", "echo a; read x; echo b" ]; };' % port)
        connections = [self.connect(port) for _ in range(3)]
        for s in connections:
            self.assertEqual(s.recv(2), b"a\n")
        os.kill(fdsup.worker_pids("s")[0], signal.SIGKILL)
        fdsup.wait_status("s", lambda s: s["deaths"] == 1, "the death")
        os.kill(fdsup.acceptor_pid(), signal.SIGKILL)
        fdsup.wait_log("taken over from an acceptor that died")
        for s in connections:
            s.sendall(b"x\n")
            self.assertEqual(self.read_all(s), b"b\n")
        fdsup.wait_status("s", lambda s: s["connections"]["used"] == 0, "free places")
        self.assertEqual(self.talk(port, b"x\n"), b"a\nb\n")

    def test_a_daemon_that_goes_into_the_background_is_told_so_and_does_not_multiply(self):
        fdsup = self.fdsup('d = { command = [ "/bin/sh", "-c", "setsid sleep 1000 & exit 0" ]; };')
        fdsup.wait_status("d", lambda s: s["deaths"] >= 3 and any(
            "must stay in the foreground" in line for line in s["explanation"]), "three starts, explained")
        fdsup.wait_log("d: the daemon ended and left 1 process behind")
        wait_until("none is left", lambda: list(descendants(fdsup.pid).values()).count("sleep") <= 1)


if __name__ == "__main__":
    main()

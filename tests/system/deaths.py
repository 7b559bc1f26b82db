"""What is remembered of workers that died, and what explain makes of it."""
import json
import os
import signal
import socket

from support import BIN, Test, free_port, main, wait_until


class Deaths(Test):
    def deaths(self, fdsup, *arguments):
        return json.loads(fdsup.ctl("--json", "deaths", *arguments)[1])["deaths"]

    def wait_deaths(self, fdsup, n, *arguments):
        wait_until("%d deaths" % n, lambda: len(self.deaths(fdsup, *arguments)) >= n)
        return self.deaths(fdsup, *arguments)

    def test_a_death_tells_all_that_is_known_of_it(self):
        fdsup = self.unstarted()
        script = fdsup.script("it", "for i in $(seq 30); do echo line $i >&2; done; exit 3\n")
        fdsup.write('a = { command = "%s"; restart_delay = "1h"; restart_delay_max = "1h"; };' % script)
        fdsup.start()
        death, = self.wait_deaths(fdsup, 1)
        self.assertEqual((death["service"], death["program"], death["how"], death["status"]),
                         ("a", "daemon", "exited 3", 3 << 8))
        self.assertEqual(death["stderr"], ["line %d" % i for i in range(11, 31)])
        self.assertGreater(death["max_rss"], 100 * 1024)
        self.assertGreaterEqual(death["cpu_ms"], 0)
        self.assertGreater(death["next_try_ms"], 1000000)
        self.assertNotIn("core", death)
        self.assertNotIn("no_core", death)
        code, output, error = fdsup.ctl("deaths")
        self.assertEqual((code, error), (0, ""))
        self.assertRegex(output, r"WHEN +SERVICE +PID +HOW")
        self.assertRegex(output, r" a +%d +exited 3 " % death["pid"])
        self.assertIn("    stderr: line 30\n", output)
        self.assertNotIn("line 27\n", output)
        self.assertIn("line 27\n", fdsup.ctl("deaths", "-v", "a")[1])

    def test_a_crash_says_where_the_core_file_is_or_why_there_is_none(self):
        fdsup = self.fdsup('a = { command = [ "/bin/sh", "-c", "kill -SEGV $$" ]; restart_delay = "1h";'
                           ' restart_delay_max = "1h"; limits = { core = 0; }; };')
        death, = self.wait_deaths(fdsup, 1)
        self.assertIn("killed by SIGSEGV", death["how"])
        with open("/proc/sys/kernel/core_pattern") as f:
            if not f.read().startswith("|"):
                self.assertIn("limits.core", death["no_core"])
                self.assertIn("core file: none: RLIMIT_CORE is 0; raise limits.core", fdsup.ctl("deaths")[1])

    def test_a_start_that_fails_is_a_death(self):
        fdsup = self.unstarted()
        gone = fdsup.script("it", "exit 0\n")
        fdsup.write('a = { command = "%s"; restart_delay_max = "200ms"; };' % gone)
        fdsup.start()
        os.unlink(gone)
        death = wait_until("one", lambda: [d for d in self.deaths(fdsup, "a") if d.get("error")])[0]
        self.assertEqual(death["error"], "ENOENT")
        self.assertIn("exec: No such file or directory", death["how"])
        self.assertNotIn("pid", death)

    def test_the_death_that_was_one_too_many_is_tried_again_in_ten_minutes(self):
        fdsup = self.fdsup('a = { command = "/bin/false"; give_up = "2/1h"; };')
        deaths = self.wait_deaths(fdsup, 2)
        self.assertLess(deaths[0]["next_try_ms"], 600000)
        self.assertEqual(deaths[1]["next_try_ms"], 600000)
        self.assertIn(" 10min", fdsup.ctl("deaths")[1])

    def test_connections_that_a_worker_held_are_counted(self):
        port = free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; workers = { max = 1; }; };' % port)
        for _ in range(2):
            s = self.connect(port)
            s.sendall(b"x")
            self.assertEqual(s.recv(1), b"x")
        fdsup.wait_status("a", lambda status: status["connections"]["used"] == 2 and not status["queue"]["used"],
                          "two taken connections")
        pid, = fdsup.worker_pids("a")
        os.kill(pid, signal.SIGKILL)
        def told():
            return [d for d in self.deaths(fdsup, "a") if d["program"] == "worker" and "lost" in d]
        wait_until("what it had", told)
        death, = told()
        self.assertEqual((death["pid"], death["how"], death["program"]), (pid, "killed by SIGKILL", "worker"))
        self.assertEqual((death["connections"], death["redelivered"], death["lost"]), (2, 0, 0))

    def test_the_list_is_limited_and_filtered(self):
        fdsup = self.fdsup('a = { command = "/bin/false"; restart_delay_max = "200ms"; };'
                           'b = { command = "/bin/false"; restart_delay_max = "200ms"; };'
                           'c = { command = [ "sleep", "1000" ]; };')
        self.wait_deaths(fdsup, 3, "a")
        self.wait_deaths(fdsup, 2, "b")
        self.assertEqual(len(self.deaths(fdsup, "-n", "2", "a")), 2)
        self.assertEqual({d["service"] for d in self.deaths(fdsup)}, {"a", "b"})
        self.assertEqual(self.deaths(fdsup, "c"), [])
        one = self.deaths(fdsup, "a")[0]["pid"]
        self.assertEqual([d["pid"] for d in self.deaths(fdsup, "--worker", str(one))], [one])
        self.assertEqual(fdsup.ctl("deaths", "nonsense")[0], 4)
        self.assertEqual(fdsup.ctl("deaths", "a", "b")[0], 64)

    # -- what the death of a worker costs

    def test_a_client_that_takes_three_workers_with_it_is_named(self):
        port = free_port()
        fdsup = self.unstarted()
        poison = os.path.join(fdsup.directory, "poison")
        fdsup.write('w = { address = "127.0.0.1"; port = %d; type = "worker"; workers = { min = 1; max = 1; };'
                    ' restart_delay = "10ms"; command = [ "%s/poisoned_worker", "%s" ]; };' % (port, BIN, poison))
        fdsup.start()
        self.assertTrue(self.talk(port))
        fdsup.wait_status("w", lambda status: status["served"] == 1, "a worker that is known to report")
        open(poison, "w").close()
        victim = self.connect(port)
        where = "%s:%d" % victim.getsockname()
        self.assertEqual(victim.recv(1), b"")
        wait_until("what it cost", lambda: len([d for d in self.deaths(fdsup, "w") if "lost" in d]) >= 3)
        deaths = self.deaths(fdsup, "w")
        self.assertEqual([(d["connections"], d["redelivered"], d["lost"]) for d in deaths],
                         [(1, 1, 0), (1, 1, 0), (1, 0, 1)])
        os.unlink(poison)
        self.assertNotIn("given_up", deaths[0])
        given_up, = deaths[2]["given_up"]
        self.assertEqual(given_up["client"], where)
        self.assertIn("id=" + given_up["connection"], fdsup.log())
        output = fdsup.ctl("deaths", "w")[1]
        self.assertIn("    took three workers with it: id=%s of %s\n" % (given_up["connection"], where), output)
        self.assertIn("REDELIVERED", output)
        self.assertTrue(self.talk(port))

    def test_a_client_is_named_as_far_as_log_address_says(self):
        port = free_port()
        fdsup = self.unstarted()
        fdsup.write('c = { address = "127.0.0.1"; port = %d; log_address = "prefix"; command = "%s"; };'
                    % (port, fdsup.script("it", "exit 3\n")))
        fdsup.start()
        self.talk(port)
        death, = self.wait_deaths(fdsup, 1, "c")
        self.assertEqual(death["client"], "127.0.0.0/24")

    # -- commands

    def commands(self, fdsup, *arguments):
        return [d for d in self.deaths(fdsup, *arguments) if d["program"] == "command"]

    def wait_commands(self, fdsup, condition):
        wait_until("commands that died", lambda: condition(self.commands(fdsup)))
        return self.commands(fdsup)

    def run_commands(self, script, n=1, keys=""):
        port = free_port()
        fdsup = self.unstarted()
        fdsup.write('c = { address = "127.0.0.1"; port = %d; command = "%s"; %s };'
                    % (port, fdsup.script("it", script), keys))
        fdsup.start()
        for _ in range(n):
            s = self.connect(port)
            self.peer = "%s:%d" % s.getsockname()
            self.read_all(s)
        return fdsup, port

    def test_a_command_that_crashes_is_told_with_its_client_and_last_words(self):
        fdsup, port = self.run_commands("echo out of cheese >&2; kill -SEGV $$\n", keys='limits = { core = 0; };')
        death, = self.wait_commands(fdsup, len)
        self.assertEqual((death["service"], death["client"], death["times"]), ("c", self.peer, 1))
        self.assertIn("killed by SIGSEGV", death["how"])
        self.assertEqual(death["stderr"], ["out of cheese"])
        self.assertGreater(death["max_rss"], 100 * 1024)
        self.assertGreaterEqual(death["age_ms"], 0)
        fdsup.wait_log("id=" + death["connection"])
        output = fdsup.ctl("deaths")[1]
        self.assertIn("command killed by SIGSEGV", output)
        self.assertIn("    connection: id=%s of %s\n" % (death["connection"], self.peer), output)
        self.assertIn("    stderr: out of cheese\n", output)
        with open("/proc/sys/kernel/core_pattern") as f:
            if not f.read().startswith("|"):
                self.assertIn("    core file: none: RLIMIT_CORE is 0; raise limits.core\n", output)
        self.read_all(self.connect(port))
        self.wait_commands(fdsup, lambda c: len(c) == 2)

    def test_commands_that_end_alike_are_one_line_and_push_nothing_out(self):
        fdsup, port = self.run_commands("exit 7\n", 150, "workers = { max = 1; };")
        worker, = fdsup.worker_pids("c")
        death = self.wait_commands(fdsup, lambda c: c and c[0]["times"] + c[0]["others"] == 150)
        self.assertEqual([(d["how"], d["status"]) for d in death], [("exited 7", 7 << 8)])
        self.assertGreaterEqual(death[0]["times"], 20)
        self.assertLessEqual(death[0]["first_at"], death[0]["at"])
        os.kill(worker, signal.SIGKILL)
        wait_until("both", lambda: len(self.deaths(fdsup, "c")) == 2)
        self.assertEqual([d["program"] for d in self.deaths(fdsup, "c")], ["command", "worker"])
        self.assertEqual([d["program"] for d in self.deaths(fdsup, "-n", "1", "c")], ["worker"])
        self.assertIn("command exited 7, %d times" % death[0]["times"], fdsup.ctl("deaths", "c")[1])

    def test_commands_that_end_well_or_are_stopped_are_no_deaths(self):
        fdsup, port = self.run_commands("cat\n", 0)
        self.talk(port, b"x")
        s = self.connect(port)
        s.sendall(b"x")
        s.recv(1)
        fdsup.order("stop", "c")
        fdsup.wait_state("c", "STOPPED")
        self.assertEqual(self.deaths(fdsup, "c"), [])

    def test_what_a_reload_tries_in_vain_is_told(self):
        port = free_port()
        service = ('l = { address = "127.0.0.1"; port = %d; type = "listen"; workers = { min = 1; max = 1; };'
                   ' restart_delay = "10ms"; command = %%s; };' % port)
        fdsup = self.fdsup(service % '[ "sleep", "1000" ]')
        fdsup.wait_state("l", "UP")
        fdsup.write(service % ('"%s"' % fdsup.script("new", "echo no licence >&2; exit 9\n")))
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        deaths = self.deaths(fdsup, "l")
        self.assertEqual([(d["how"], d.get("trial"), d["stderr"][-1:]) for d in deaths],
                         [("exited 9", True, ["no licence"])] * 3)
        self.assertTrue(deaths[0]["next_try_ms"])
        self.assertIsNone(deaths[2]["next_try_ms"])
        self.assertIn("    tried with the new configuration of a reload\n", fdsup.ctl("deaths")[1])

    def test_so_is_a_daemon_that_a_reload_tries_in_vain(self):
        fdsup = self.fdsup('d = { command = [ "sleep", "1000" ]; restart_delay = "10ms"; };')
        fdsup.wait_state("d", "UP")
        fdsup.write('d = { command = "%s"; restart_delay = "10ms"; };' % fdsup.script("new", "exit 9\n"))
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        self.assertEqual([(d["how"], d.get("trial")) for d in self.deaths(fdsup, "d")], [("exited 9", True)] * 3)

    def explain(self, fdsup, name):
        code, output, error = fdsup.ctl("explain", name)
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(output.count("\n"), 1)
        return output

    def test_explain_tells_of_a_healthy_service(self):
        port = free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; description = "an echo";'
                           ' deny = "127.0.0.2"; };' % port)
        text = self.explain(fdsup, "a")
        self.assertIn("a (an echo) is ON-DEMAND, for ", text)
        self.assertIn("fdsup (pid %d) has bound tcp 127.0.0.1:%d." % (fdsup.pid, port), text)
        self.assertIn("Acceptor 1 (pid %d) accepts." % fdsup.acceptor_pid(), text)
        self.assertIn("the first connection starts /bin/cat", text)
        self.assertTrue(text.endswith("Nothing is to be done.\n"), text)
        s = self.connect(port)
        s.sendall(b"x")
        s.recv(1)
        self.assertIn("1 of 256 connections are in use (max_connections).", self.explain(fdsup, "a"))
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.connect(("127.0.0.1", port))
            other.recv(1)
        self.assertRegex(self.explain(fdsup, "a"), r"1 was refused, the last one \S+ ago by deny\.")
        fdsup.order("stop", "a")
        text = self.explain(fdsup, "a")
        self.assertIn("Nobody wants it", text)
        self.assertIn("Its sockets are closed", text)

    def test_explain_names_the_worker_that_a_client_waits_for(self):
        port = free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; type = "worker"; workers = { min = 1; max = 1; };'
                           ' command = [ "sleep", "1000" ]; };' % port)
        self.connect(port)
        fdsup.wait_status("a", lambda status: status["queue"]["used"] == 1, "one that waits")
        self.assertIn("The only worker, %d, must take the next one, and has none." % fdsup.worker_pids("a")[0],
                      " ".join(json.loads(fdsup.ctl("--json", "explain", "a")[1])["sentences"]))

    def test_explain_traces_the_cause(self):
        fdsup = self.fdsup('a = { command = [ "/bin/sh", "-c", "echo no database >&2; exit 7" ];'
                           ' restart_delay = "1h"; restart_delay_max = "1h"; };')
        fdsup.wait_state("a", "BACKOFF")
        text = self.explain(fdsup, "a")
        self.assertIn("a is BACKOFF, which it should not be", text)
        self.assertRegex(text, r"Daemon \d+ exited 7 after \S+; next try in ")
        self.assertIn("Stderr: no database (", text)
        self.assertIn("It has no sockets. No daemon runs.", text)
        answer = json.loads(fdsup.ctl("--json", "explain", "a")[1])
        self.assertEqual((answer["service"], answer["state"], answer["healthy"]), ("a", "BACKOFF", False))
        self.assertEqual(len(answer["sentences"]), 5)
        self.assertEqual(fdsup.ctl("explain", "b")[0], 4)


if __name__ == "__main__":
    main()

"""What is remembered of workers that died, and what explain makes of it."""
import json
import os
import signal
import socket

from support import Test, free_port, main, wait_until


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
        death, = self.wait_deaths(fdsup, 1, "a")
        self.assertEqual((death["pid"], death["how"], death["program"]), (pid, "killed by SIGKILL", "worker"))
        self.assertEqual(death["connections"], 2)

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

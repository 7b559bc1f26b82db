"""The acceptor is killed, alone and together with others: whoever was connected is served."""
import os
import signal
import unittest

from support import (BIN, IS_SANITIZED, Test, children, count_descriptors, descendants, free_port, is_running, main,
                     reap_zombies, wait_until)

EXAMPLES = os.path.normpath(os.path.join(BIN, os.pardir, "examples"))


class Guard(Test):
    def one_at_a_time(self, keys=""):
        """A service in which all but one of our clients are held by the acceptor."""
        self.port = free_port()
        return self.fdsup('s = { address = "127.0.0.1"; port = %d; max_per_source = 1; overflow_wait = "10min";'
                          ' command = [ "/bin/sh", "-c", "read x; echo got $x" ]; %s };' % (self.port, keys))

    def connect_all(self, fdsup, n):
        clients = [self.connect(self.port) for _ in range(n)]
        fdsup.wait_status("s", lambda s: s["queue"]["used"] == n - 1, "held clients")
        return clients

    def expect_all_served(self, fdsup, clients):
        """In whatever order they are let in: all have said what they want."""
        for i, client in enumerate(clients):
            client.sendall(b"%d\n" % i)
        for i, client in enumerate(clients):
            self.assertEqual(self.read_all(client), b"got %d\n" % i)
        status = fdsup.wait_status("s", lambda s: s["connections"]["used"] == 0, "their ends")
        self.assertEqual(status["lost"], 0)
        self.assertEqual(status["refused"], 0)

    def guard(self, fdsup):
        """Of the acceptor that runs."""
        def find():
            return [pid for pid, name in children(fdsup.acceptor_pid()).items() if name == "fdsup-guard"]
        found, = wait_until("a guard", find)
        return found

    def kill_acceptor(self, fdsup):
        old = fdsup.acceptor_pid()
        os.kill(old, signal.SIGKILL)
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() != old)

    def test_clients_that_wait_for_a_limit_survive_acceptors(self):
        fdsup = self.one_at_a_time()
        clients = self.connect_all(fdsup, 6)
        for i in range(3):
            self.kill_acceptor(fdsup)
            fdsup.wait_log("s: taken over from an acceptor that died: 6 connections live on, 0 were lost", i + 1)
        self.expect_all_served(fdsup, clients)
        self.assertEqual(fdsup.status("s")["accepted"], 6)

    def test_one_that_hangs_is_killed_and_leaves_the_same(self):
        fdsup = self.one_at_a_time()
        clients = self.connect_all(fdsup, 4)
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        fdsup.wait_log("acceptor %d does not answer .*: it is killed" % acceptor)
        self.expect_all_served(fdsup, clients)

    def test_a_worker_that_dies_after_the_acceptor_takes_nobody_with_it(self):
        """The program has claimed the connection and waits for a request that has not come."""
        port = free_port()
        fdsup = self.fdsup('http = { address = "127.0.0.1"; port = %d; type = "worker"; command = [ "%s" ];'
                           ' ready = "notify"; workers = { min = 1; max = 1; }; };' % (
                               port, os.path.join(EXAMPLES, "worker-http")))
        request = b"GET / HTTP/1.0\r\n\r\n"
        self.assertIn(b"200", self.talk(port, request))     # from this it is known that it claims
        fdsup.wait_status("http", lambda s: s["connections"]["used"] == 0, "its end")
        worker, = fdsup.worker_pids("http")
        n_at_rest = count_descriptors(worker)
        client = self.connect(port)
        wait_until("the worker has it", lambda: count_descriptors(worker) > n_at_rest)
        self.kill_acceptor(fdsup)
        os.kill(worker, signal.SIGKILL)
        client.sendall(request)
        self.assertIn(b"200", self.read_all(client))
        status = fdsup.wait_status("http", lambda s: s["connections"]["used"] == 0, "its end")
        self.assertEqual(status["lost"], 0)
        self.assertEqual(status["redelivered"], 1)

    def test_a_guard_that_is_suspended_holds_nobody_up(self):
        fdsup = self.one_at_a_time()
        clients = self.connect_all(fdsup, 4)
        guard = self.guard(fdsup)
        os.kill(guard, signal.SIGSTOP)
        self.kill_acceptor(fdsup)
        self.expect_all_served(fdsup, clients)
        wait_until("it is gone", lambda: not is_running(guard))

    def test_a_guard_that_is_killed_is_replaced_with_its_acceptor_and_nobody_notices(self):
        fdsup = self.one_at_a_time()
        clients = self.connect_all(fdsup, 4)
        acceptor = fdsup.acceptor_pid()
        os.kill(self.guard(fdsup), signal.SIGKILL)
        fdsup.wait_log("the guard of this acceptor has ended")
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() != acceptor)
        self.guard(fdsup)
        self.kill_acceptor(fdsup)
        self.expect_all_served(fdsup, clients)

    def test_the_acceptor_and_fdsup_killed_together_lose_nobody(self):
        fdsup = self.one_at_a_time()
        clients = self.connect_all(fdsup, 4)
        for is_acceptor_first in (True, False):
            acceptor = fdsup.acceptor_pid()
            os.kill(fdsup.pid, signal.SIGSTOP)      # it would start another
            pids = (acceptor, fdsup.pid) if is_acceptor_first else (fdsup.pid, acceptor)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            fdsup.wait()
            reap_zombies()
            fdsup.start()
            wait_until("another acceptor", lambda: fdsup.acceptor_pid() != acceptor)
        self.expect_all_served(fdsup, clients)
        fdsup.stop()
        reap_zombies()      # of what was taken over: nobody waits for it here as init would

    def test_nothing_is_left_of_guards(self):
        fdsup = self.one_at_a_time()
        self.expect_all_served(fdsup, self.connect_all(fdsup, 2))
        self.kill_acceptor(fdsup)

        def belongings():
            return (sorted(descendants(fdsup.pid).values()), count_descriptors(fdsup.pid),
                    count_descriptors(fdsup.acceptor_pid()))
        self.guard(fdsup)
        before = belongings()
        for _ in range(5):
            clients = self.connect_all(fdsup, 3)
            self.kill_acceptor(fdsup)
            self.expect_all_served(fdsup, clients)
        wait_until("all is as before", lambda: belongings() == before)
        self.assertEqual(fdsup.stop(), 0)
        self.assertNotIn("belong to no service", fdsup.log())

    @unittest.skipIf(IS_SANITIZED, "a sanitizer needs processes of its own")
    def test_without_processes_to_spare_it_says_so_once_and_goes_on(self):
        """The limit counts the processes of a user, of which there are none else."""
        port = free_port()
        fdsup = self.unstarted('s = { address = "127.0.0.1"; port = %d; type = "builtin"; builtin = "echo"; };' % port,
                               top='acceptor_user = "games";')
        fdsup.prefix = ["prlimit", "--nproc=1"]
        fdsup.start()
        fdsup.wait_log("acceptor 1: it cannot start its guard")
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.kill_acceptor(fdsup)
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(fdsup.count_log("cannot start its guard"), 1)


if __name__ == "__main__":
    main()

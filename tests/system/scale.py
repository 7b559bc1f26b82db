"""Many services in one configuration, many connections in one worker: that it works. How quick it is, tests/bench/scale.py tells."""
import os
import resource
import unittest

from support import BIN, IS_SANITIZED, Test, count_descriptors, free_port, main, wait_until

SERVICES = 1000
USED = 200
CONNECTIONS = 2000
SPARE = 500
DESCRIPTORS_PER_SERVICE = 4
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)


def needs_descriptors(n):
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, n)), hard))
    return unittest.skipIf(hard < n, "needs %d open files" % n)


class Scale(Test):
    @needs_descriptors(SERVICES * DESCRIPTORS_PER_SERVICE + SPARE)
    def test_a_thousand_services(self):
        # Unix sockets, but for the two that are used: so many free ports in a row need not be there.
        fdsup = self.unstarted("")
        ports = {0: free_port(), SERVICES - 1: free_port()}
        where = ['address = "127.0.0.1"; port = %d' % ports[i] if i in ports else
                 'address = "unix:%s/s%d"' % (fdsup.runtime_dir, i) for i in range(SERVICES)]
        fdsup.write("\n".join('s%04d = { %s; command = [ "/bin/sh", "-c", "read x; echo $FDSUP_SERVICE $x" ]; };' %
                              (i, keys) for i, keys in enumerate(where)))
        fdsup.start()
        names = ["s%04d" % i for i in range(SERVICES)]
        for i, port in ports.items():
            self.assertEqual(self.talk(port, b"hello\n"), b"s%04d hello\n" % i)
        fdsup.wait_status(names[-1], lambda s: s["served"] == 1, "one served")
        whole = fdsup.status()
        self.assertEqual([s["name"] for s in whole["services"]], names)
        self.assertTrue(all(s["healthy"] for s in whole["services"]))
        lines = fdsup.order("status").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["SERVICE", *names])
        self.assertEqual(len(fdsup.order("listeners").splitlines()), 1 + SERVICES)
        # A reload looks at all of them and moves none.
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        self.assertEqual(self.talk(ports[0], b"again\n"), b"s0000 again\n")
        self.assertEqual(fdsup.stop(), 0)
        self.assertEqual(os.listdir(fdsup.runtime_dir) if os.path.isdir(fdsup.runtime_dir) else [], [])

    @unittest.skipIf(IS_SANITIZED, "a sanitizer keeps what was freed")
    @needs_descriptors(SERVICES * DESCRIPTORS_PER_SERVICE + SPARE)
    def test_a_long_answer_leaves_nothing_behind(self):
        fdsup = self.unstarted("")
        fdsup.write("\n".join('s%d = { address = "unix:%s/s%d"; command = "/bin/cat"; };' % (i, fdsup.runtime_dir, i)
                              for i in range(SERVICES)))
        fdsup.start()
        whole = fdsup.ctl("--json", "status")[1]
        first = self.anonymous_kib(fdsup)
        for _ in range(3):
            fdsup.ctl("status")
        wait_until("the memory of the answers is given back", lambda: self.anonymous_kib(fdsup) < first + 256)
        # While it is made it takes far more than its text does.
        self.assertLess(first, 2048)
        self.assertGreater(len(whole), 256 * 1024)

    @needs_descriptors(USED * 8 + SPARE)
    def test_services_that_were_used_give_back_what_they_needed(self):
        fdsup = self.unstarted("")
        ports = [free_port() for _ in range(USED)]
        fdsup.write("\n".join('s%02d = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; idle_timeout = "1s"; };' %
                              (i, port) for i, port in enumerate(ports)))
        fdsup.start()
        pids = fdsup.pid, fdsup.acceptor_pid()
        n_descriptors = [count_descriptors(pid) for pid in pids]

        def use(ports):
            for port in ports:
                self.assertEqual(self.talk(port, b"x"), b"x")
            wait_until("all are at rest", lambda: all(
                count_descriptors(pid) <= n for pid, n in zip(pids, n_descriptors)))
            return [self.anonymous_kib(fdsup, pid) for pid in pids]

        # A few before it is looked at: what the programs need for themselves is there then.
        before = use(ports[:3])
        after = use(ports)
        if not IS_SANITIZED:
            for n_before, n_after in zip(before, after):
                self.assertLess(n_after - n_before, USED)  # KiB: less than one each; it was twice that
        use(ports)
        self.assertTrue(all(s["healthy"] and s["served"] >= 2 for s in fdsup.status()["services"]))

    def anonymous_kib(self, fdsup, pid=None):
        with open("/proc/%d/smaps_rollup" % (pid or fdsup.pid)) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))

    @needs_descriptors(CONNECTIONS + SPARE)
    def test_a_worker_holds_thousands_of_connections(self):
        port = free_port()
        worker = os.path.normpath(os.path.join(BIN, os.pardir, "examples", "worker-http"))
        fdsup = self.fdsup('http = { address = "127.0.0.1"; port = %d; type = "worker"; command = [ "%s" ];\n'
                           ' ready = "notify"; workers = { min = 1; max = 1; }; max_connections = %d; };' % (
                               port, worker, CONNECTIONS))
        held = [self.connect(port) for _ in range(CONNECTIONS)]
        fdsup.wait_status("http", lambda s: s["connections"]["used"] == CONNECTIONS, "all of them")
        for s in held:
            s.sendall(REQUEST)
        for s in held:
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 200 "))
        # One more than the limit waits until somebody leaves, and then is served.
        late = self.connect(port)
        late.sendall(REQUEST)
        self.assertEqual(fdsup.status("http")["connections"], {"used": CONNECTIONS, "limit": CONNECTIONS})
        held.pop().close()
        self.assertTrue(late.recv(4096).startswith(b"HTTP/1.1 200 "))
        for s in [late, *held]:
            s.close()
        service = fdsup.wait_status("http", lambda s: s["connections"]["used"] == 0, "all gone")
        self.assertEqual((service["served"], service["lost"], service["deaths"]), (CONNECTIONS + 1, 0, 0))


if __name__ == "__main__":
    main()

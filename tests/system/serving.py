"""A declared service serves real clients."""
import os
import socket
import threading
import unittest

from support import Test, children, free_port, main, wait_until


class Serving(Test):
    def test_a_command_gets_the_connection_as_input_and_output(self):
        port = free_port()
        self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = [ "/bin/cat" ]; };' % port)
        self.assertEqual(self.talk(port, b"there and back"), b"there and back")

    def test_the_first_connection_starts_the_worker_and_idleness_ends_it(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo hello";'
                           ' idle_timeout = "300ms"; };' % port)
        self.assertEqual(fdsup.status("echo")["state"], "ON-DEMAND")
        self.assertEqual(fdsup.status("echo")["workers"]["used"], 0)
        self.assertEqual(self.talk(port), b"hello\n")
        self.assertEqual(fdsup.wait_state("echo", "UP")["workers"]["used"], 1)
        fdsup.wait_state("echo", "ON-DEMAND")
        self.assertEqual(fdsup.status("echo")["deaths"], 0)
        self.assertEqual(self.talk(port), b"hello\n")

    def many(self, n, **keywords):
        ports = [free_port() for _ in range(n)]
        fdsup = self.fdsup("".join(
            's%d = { address = "127.0.0.1"; port = %d; command = "/bin/echo hello"; idle_timeout = "200ms"; };\n'
            % pair for pair in enumerate(ports)), **keywords)
        return fdsup, ports

    def test_a_service_at_rest_gives_its_descriptors_back(self):
        fdsup, ports = self.many(20)

        def used():
            return [len(os.listdir("/proc/%d/fd" % pid)) for pid in
                    [fdsup.pid] + [p for p, name in children(fdsup.pid).items() if name == "fdsup-acceptor"]]
        self.assertEqual(self.talk(ports[0]), b"hello\n")
        fdsup.wait_state("s0", "ON-DEMAND")
        wait_until("the first is at rest", lambda: used()[0] <= 20 + 30)
        before = used()
        for _ in range(2):
            for port in ports:
                self.assertEqual(self.talk(port), b"hello\n")
            wait_until("all are at rest", lambda: used() <= before)
        self.assertEqual(sum(s["lost"] + s["deaths"] for s in fdsup.status()["services"]), 0)

    def test_few_descriptors_delay_clients_and_never_the_acceptor(self):
        fdsup, ports = self.many(60, prefix=["sh", "-c", 'ulimit -n 150; exec "$@"', "sh"])
        answers = []

        def client(port):
            answers.append(self.talk(port))
        for _ in range(2):
            threads = [threading.Thread(target=client, args=(port,)) for port in ports]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            acceptor = next(p for p, name in children(fdsup.pid).items() if name == "fdsup-acceptor")
            os.kill(acceptor, 9)
        self.assertEqual(answers, [b"hello\n"] * 120)
        fdsup.wait_log("cannot make its queue: Too many open files; its clients wait")
        self.assertEqual(fdsup.ctl("status")[0] in (0, 150), True)

    def test_a_service_that_lacks_descriptors_says_so(self):
        port = free_port()
        fdsup = self.unstarted('one = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port,
                               prefix=["sh", "-c", 'ulimit -n 42; exec "$@"', "sh"])
        fdsup.start()
        self.connect(port)
        service = fdsup.wait_status("one", lambda s: s["state"] == "DEGRADED", "trouble")
        self.assertIn("descriptors for its queue are lacking", service["explanation"][0])
        self.assertEqual(fdsup.ctl("check")[0], 150)

    def test_with_next_to_no_descriptors_it_says_what_it_needs(self):
        fdsup = self.unstarted('one = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % free_port(),
                               prefix=["sh", "-c", 'ulimit -n 20; exec "$@"', "sh"])
        with self.assertRaisesRegex(AssertionError, r"limit of open files is 20; fdsup needs 40.*ulimit -Hn"):
            fdsup.start()

    def test_workers_are_added_while_connections_wait(self):
        port = free_port()
        fdsup = self.fdsup('slow = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' workers = { max = 3; }; };' % port)
        stop = threading.Event()

        def client():
            while not stop.is_set():
                with socket.create_connection(("127.0.0.1", port), 30) as s:
                    self.read_all(s)
        clients = [threading.Thread(target=client) for _ in range(24)]
        for c in clients:
            c.start()
        try:
            fdsup.wait_status("slow", lambda s: s["workers"]["used"] >= 2, "a second worker")
        finally:
            stop.set()
            for c in clients:
                c.join()
        self.assertLessEqual(fdsup.status("slow")["workers"]["used"], 3)
        self.assertEqual(fdsup.status("slow")["lost"], 0)

    def test_a_hundred_at_once_are_all_served(self):
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        connections = [self.connect(port) for _ in range(100)]
        for i, s in enumerate(connections):
            s.sendall(b"%d" % i)
        for i, s in enumerate(connections):
            self.assertEqual(s.recv(10), b"%d" % i)
        service = fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 100, "100 connections")
        self.assertEqual(service["accepted"], 100)
        for s in connections:
            s.close()
        fdsup.wait_status("cat", lambda s: s["served"] == 100 and s["connections"]["used"] == 0, "all served")

    def test_star_listens_on_both_families(self):
        port = free_port()
        self.fdsup('who = { port = %d; command = [ "/bin/sh", "-c", "echo $REMOTE_ADDR" ]; };' % port)
        self.assertEqual(self.talk(port, host="127.0.0.1"), b"127.0.0.1\n")
        if socket.has_ipv6:
            self.assertEqual(self.talk(port, host="::1"), b"::1\n")

    def test_several_addresses_and_only_those(self):
        port = free_port("127.0.0.3")
        self.fdsup('who = { address = [ "127.0.0.3", "::1" ]; port = %d;'
                   ' command = [ "/bin/sh", "-c", "echo $LOCAL_ADDR" ]; };' % port)
        self.assertEqual(self.talk(port, host="127.0.0.3"), b"127.0.0.3\n")
        self.assertEqual(self.talk(port, host="::1"), b"::1\n")
        with self.assertRaises(ConnectionRefusedError):
            self.connect(port, host="127.0.0.1")

    def test_a_half_close_reaches_the_command_and_its_answer_the_client(self):
        port = free_port()
        self.fdsup('sum = { address = "127.0.0.1"; port = %d; command = "/usr/bin/wc -c"; };' % port)
        self.assertEqual(self.talk(port, b"x" * 1000000).strip(), b"1000000")

    def test_a_client_that_resets_before_it_is_accepted_disturbs_nobody(self):
        port, other = free_port(), free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };\n'
                           'b = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % (port, other))
        for _ in range(200):
            s = socket.create_connection(("127.0.0.1", port), 30)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        self.assertEqual(self.talk(other, b"ok"), b"ok")
        self.assertEqual(self.talk(port, b"ok"), b"ok")
        fdsup.wait_status("a", lambda s: s["connections"]["used"] == 0, "no connection left")

    def test_the_acceptor_keeps_no_descriptor_of_a_connection(self):
        import os
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        self.talk(port, b"x")
        directory = "/proc/%d/fd" % fdsup.acceptor_pid()
        before = len(os.listdir(directory))
        connections = [self.connect(port) for _ in range(20)]
        for s in connections:
            s.sendall(b"x")
            s.recv(1)
        wait_until("the copies are closed", lambda: len(os.listdir(directory)) == before)


if __name__ == "__main__":
    main()

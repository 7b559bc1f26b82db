"""
Whether the kernel tells of ends or is asked: in a network namespace of this test alone, for what others
connect to counts as well.
"""
import os
import signal
import socket
import threading
import unittest

import ledger
from support import Test, enter_own_network, main, wait_until


def members():
    """The sockets that the kernel's notices go to: protocol 4 is NETLINK_SOCK_DIAG."""
    with open("/proc/net/netlink") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return [row for row in rows if row[1] == "4" and int(row[3], 16)]


class Others:
    """Somebody who has many connections that are none of fdsup's."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.is_over = False
        self.threads = [threading.Thread(target=self.accept), threading.Thread(target=self.connect)]

    def accept(self):
        while not self.is_over:
            self.listener.accept()[0].close()

    def connect(self):
        while not self.is_over:
            socket.create_connection(self.listener.getsockname()).close()
        socket.create_connection(self.listener.getsockname()).close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        self.listener.close()


@unittest.skipUnless(enter_own_network(), "needs root, ip, and a network namespace of its own")
class Notices(Test):
    silent = ledger.Ledger.silent
    ends = ledger.Ledger.ends
    client = ledger.Ledger.client
    check_truth = ledger.Ledger.check_truth

    def is_asked(self, fdsup):
        return fdsup.status()["daemon"]["acceptors"][0]["ledger_asked"]

    def test_counters_equal_the_truth_when_the_kernel_is_asked(self):
        self.check_truth("max_connections = 0;", "max_notices = 1;")

    def test_what_lives_is_asked_for_until_it_ends(self):
        fdsup, port = self.silent(top="max_notices = 1;")
        held = [self.connect(port) for _ in range(10)]
        for s in held:
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
        wait_until("it is asked", lambda: self.talk(port, b"s") and self.is_asked(fdsup))
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 10, "the ten that were there before")
        for s in held[:4]:
            s.close()
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 6, "those that live on")
        # a second without anybody, and it tells again
        wait_until("it tells", lambda: not self.is_asked(fdsup))
        self.assertEqual(fdsup.status("w")["connections"]["used"], 6)
        for s in held[4:]:
            s.close()
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0, "none")
        service = fdsup.status("w")
        self.assertEqual((service["served"], service["lost"]), (service["accepted"], 0))

    def test_near_a_limit_the_kernel_tells_at_any_rate(self):
        fdsup, port = self.silent("max_connections = 40;", "max_notices = 1;")
        wait_until("it is asked", lambda: self.talk(port, b"s") and self.is_asked(fdsup))
        held = [self.connect(port) for _ in range(40)]
        for s in held:
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
        self.assertFalse(self.is_asked(fdsup))
        late = self.connect(port)
        late.sendall(b"s")
        held[0].close()
        self.assertEqual(late.recv(100), b"bye")

    def test_who_resets_in_the_queue_waits_in_it_all_the_same(self):
        fdsup, port = self.silent("workers = { min = 1; max = 1; };", "max_notices = 1;")
        wait_until("it is asked", lambda: self.talk(port, b"s") and self.is_asked(fdsup))
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0, "none")
        before = fdsup.status("w")["accepted"]
        worker, = fdsup.worker_pids("w")
        os.kill(worker, signal.SIGSTOP)
        try:
            waiting = [self.connect(port) for _ in range(10)]
            fdsup.wait_status("w", lambda s: s["queue"]["used"] == 10, "ten in the queue")
            for s in waiting[1::2]:
                ledger.reset(s)

            def tells():
                asked = self.is_asked(fdsup)
                service = fdsup.status("w")
                self.assertEqual((service["queue"]["used"], service["connections"]["used"]), (10, 10))
                return not asked
            wait_until("it tells", tells)
        finally:
            os.kill(worker, signal.SIGCONT)
        for s in waiting[::2]:
            s.sendall(b"s")
            self.assertEqual(s.recv(100), b"bye")
        service = fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0, "their ends")
        self.assertEqual((service["accepted"], service["served"], service["lost"]),
                         (before + 10, service["accepted"], 0))

    def test_others_count_where_they_are_many(self):
        fdsup, port = self.silent(top="max_notices = 20;")
        s = self.connect(port)
        s.sendall(b"w")
        self.assertTrue(s.recv(100))
        self.assertFalse(self.is_asked(fdsup))
        with Others():
            wait_until("it is asked", lambda: self.is_asked(fdsup))
            wait_until("nobody is told", lambda: not members())
        wait_until("it tells", lambda: not self.is_asked(fdsup))
        s.close()
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0 and s["served"] == 1, "its end")

    def test_nobody_is_told_of_what_nobody_has(self):
        self.assertEqual(members(), [])
        fdsup, port = self.silent("workers = { min = 1; };")
        fdsup.wait_state("w", "UP")
        self.assertEqual(members(), [])
        for _ in range(2):
            s = self.connect(port)
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
            self.assertEqual(len(members()), 1)
            s.close()
            wait_until("the socket rests", lambda: not members())
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0 and s["served"] == 2, "both ends")
        self.assertNotIn("-", [bytes_ for end in self.ends(fdsup, "w", 2) for bytes_ in end[3:]])


if __name__ == "__main__":
    main()

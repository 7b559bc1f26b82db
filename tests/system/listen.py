"""Programs that accept by themselves: LISTEN_FDS, and inetd's wait."""
import os
import signal
import socket
import threading

from support import Test, free_port, is_running, main, wait_until

# Accepts from the sockets it was handed, and answers with what it found in its environment.
SERVER = r'''
import os, selectors, socket, sys
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ
n = int(os.environ["LISTEN_FDS"])
selector = selectors.DefaultSelector()
for fd in range(3, 3 + n):
    s = socket.socket(fileno=fd)
    selector.register(s, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        s = key.fileobj
        if s.type == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(2000)
            s.sendto(data.upper(), peer)
            continue
        connection, _ = s.accept()
        with connection:
            connection.sendall(("%d %d %s\n" % (os.getpid(), n, os.environ["LISTEN_FDNAMES"])).encode())
'''


class Listen(Test):
    def server(self, keys, text=SERVER):
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "server.py")
        with open(path, "w") as f:
            f.write(text)
        fdsup.write('s = { type = "listen"; command = [ "/usr/bin/env", "python3", "-B", "%s" ]; %s };' % (path, keys))
        fdsup.start()
        return fdsup

    def test_the_first_client_starts_it_and_it_stays(self):
        port = free_port()
        fdsup = self.server('address = [ "127.0.0.1", "::1" ]; port = %d;' % port)
        self.assertEqual(fdsup.status("s")["state"], "ON-DEMAND")
        first = self.talk(port).split()
        self.assertEqual(first[1:], [b"2", b"s:s"])
        self.assertEqual(self.talk(port, host="::1").split()[0], first[0])
        self.assertEqual(fdsup.status("s")["state"], "UP")

    def test_at_once_and_several_on_one_socket(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d; workers = { min = 2; max = 2; };' % port)
        fdsup.wait_state("s", "UP")
        pids = {w["pid"] for w in fdsup.workers("s")}
        self.assertEqual(len(pids), 2)
        self.assertLessEqual({int(self.talk(port).split()[0]) for _ in range(20)}, pids)

    def test_a_killed_one_is_replaced_and_the_socket_stays(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d;' % port)
        pid = int(self.talk(port).split()[0])
        os.kill(pid, signal.SIGKILL)
        waiting = [self.connect(port) for _ in range(5)]
        for s in waiting:
            self.assertNotEqual(int(self.read_all(s).split()[0]), pid)
        self.assertEqual(fdsup.status("s")["deaths"], 1)

    def test_datagrams(self):
        port = free_port()
        self.server('address = "127.0.0.1"; port = %d; protocol = "udp";' % port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(30)
            s.sendto(b"hello", ("127.0.0.1", port))
            self.assertEqual(s.recv(100), b"HELLO")

    def test_tcp_and_udp_may_have_one_port(self):
        port = free_port()
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "server.py")
        with open(path, "w") as f:
            f.write(SERVER)
        fdsup.write("\n".join(
            '%s = { address = "127.0.0.1"; port = %d; protocol = "%s"; type = "listen";'
            ' command = [ "/usr/bin/env", "python3", "-B", "%s" ]; };' % (p, port, p, path) for p in ("tcp", "udp")))
        fdsup.start()
        self.assertTrue(self.talk(port))
        self.assertEqual(fdsup.status("udp")["listen"], ["udp 127.0.0.1:%d" % port])

    def test_inetd_wait_gets_the_datagram_socket_as_0_and_leaves_when_it_likes(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d; protocol = "udp"; inetd = true;' % port, r'''
import os, select, socket
s = socket.socket(fileno=0)
assert os.path.sameopenfile(0, 1) and "LISTEN_FDS" not in os.environ
while select.select([s], [], [], .3)[0]:
    data, peer = s.recvfrom(2000)
    s.sendto(b"%d" % os.getpid(), peer)
''')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(30)
            pids = []
            for _ in range(2):
                s.sendto(b"x", ("127.0.0.1", port))
                pids.append(s.recv(100))
                fdsup.wait_state("s", "ON-DEMAND")
        self.assertNotEqual(pids[0], pids[1])
        self.assertEqual(fdsup.status("s")["deaths"], 0)

    def test_one_that_leaves_without_taking_the_datagram_does_not_spin(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d; protocol = "udp"; inetd = true;' % port, "")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("127.0.0.1", port))
            service = fdsup.wait_status("s", lambda s: s["deaths"] >= 3, "three starts")
        self.assertEqual(service["healthy"], False)
        self.assertIn("it left what waits at its socket: it must accept the connection, or receive the datagram,"
                      " before it ends", service["explanation"])
        # 200, 400, 800 ms and so on: the next one is far away by now
        self.assertGreater(service["next_try_ms"] or 1000, 200)

    def test_a_reload_replaces_it_without_refusing_anybody(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d;' % port)
        first = self.talk(port).split()[0]
        stop, failures = threading.Event(), []

        def client():
            while not stop.is_set():
                try:
                    self.assertTrue(self.talk(port))
                except (OSError, AssertionError) as e:
                    failures.append(e)
        thread = threading.Thread(target=client)
        thread.start()
        path = os.path.join(fdsup.directory, "server.py")
        fdsup.write('s = { type = "listen"; command = [ "/usr/bin/env", "python3", "-B", "%s" ];'
                    ' address = "127.0.0.1"; port = %d; environment = [ "NEW=1" ]; };' % (path, port))
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        wait_until("another process", lambda: self.talk(port).split()[0] != first)
        wait_until("the old one has gone", lambda: len(fdsup.workers("s")) == 1)
        stop.set()
        thread.join()
        # what the old one had accepted when it was told to end is its own affair
        self.assertLessEqual(len(failures), 1)

    def test_a_port_that_an_old_server_still_holds_is_taken_again(self):
        stubborn = ("import os, signal, socket\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                    "s = socket.socket(fileno=3)\nwhile True:\n    try: c, _ = s.accept()\n"
                    "    except BlockingIOError: continue\n    c.sendall(b'%d' % os.getpid())\n    c.close()\n")
        port = free_port()
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "stubborn.py")
        with open(path, "w") as f:
            f.write(stubborn)
        other = 'k = { command = "/bin/sleep 1000"; };'
        service = ('s = { type = "listen"; address = "127.0.0.1"; port = %d; workers.min = 1;'
                   ' command = [ "/usr/bin/env", "python3", "%s" ]; stop_timeout = 1; };' % (port, path))
        service = service.replace("workers.min = 1", "workers = { min = 1; }")
        fdsup.write(service + other)
        fdsup.start()
        old = int(self.talk(port))
        fdsup.write(other)
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        self.assertEqual(int(self.talk(port)), old)
        fdsup.write(other + 'c = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        code, output, error = fdsup.ctl("reload")
        self.assertEqual(code, 0, error)
        fdsup.wait_log(r"tcp 127.0.0.1:%d is fetched back from pid %d" % (port, old))
        os.kill(old, 9)

        def is_served():
            try:
                return self.talk(port, b"new") == b"new"
            except OSError: # the old one had it when it was killed
                return False
        wait_until("the new one serves alone", is_served)

    # Two children accept beside it; a third, without the listener, serves the first connection.
    PREFORK = r'''
import os, signal, socket, sys, time
listener = socket.socket(fileno=3)
if len(sys.argv) > 1:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
first = listener.accept()[0]
if os.fork() == 0:
    listener.close()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while first.recv(1):
        first.sendall(b"here")
    os._exit(0)
first.sendall(b"x")
first.close()
master = os.getpid()
for _ in range(2):
    if os.fork() == 0:
        break
while True:
    with listener.accept()[0] as connection:
        connection.sendall(b"%d %d" % (master, os.getpid()))
'''

    def test_children_of_a_killed_one_do_not_go_on_accepting_beside_its_successor(self):
        for argument, stop_timeout in (("", "1h"), ('"deaf"', "200ms")):
            port = free_port()
            fdsup = self.server('address = "127.0.0.1"; port = %d; stop_timeout = "%s"; restart_delay = "10ms";' % (
                port, stop_timeout), self.PREFORK)
            if argument:
                fdsup.stop()
                with open(fdsup.path) as f:
                    text = f.read()
                with open(fdsup.path, "w") as f:
                    f.write(text.replace('server.py" ]', 'server.py", %s ]' % argument))
                fdsup.start()
            first = self.connect(port)
            self.assertEqual(first.recv(1), b"x")
            master = fdsup.worker_pids("s")[0]
            wait_until("all three accept", lambda: len({self.talk(port) for _ in range(20)}) == 3)
            others = {int(self.talk(port).split()[1]) for _ in range(50)} - {master}
            os.kill(master, signal.SIGKILL)
            fdsup.wait_log(r"worker %d has left 2 processes behind that would accept" % master)
            wait_until("they have ended", lambda: not any(map(is_running, others)))
            # The one that serves a connection and has no listener goes on.
            first.sendall(b"?")
            self.assertEqual(first.recv(4), b"here")
            new = self.connect(port)
            self.assertEqual(new.recv(1), b"x")
            self.assertEqual({int(self.talk(port).split()[0]) for _ in range(20)}, set(fdsup.worker_pids("s")))
            if argument:
                fdsup.wait_log(r"2 processes that worker %d left behind did not end, and are killed" % master)
            first.close()
            new.close()
            fdsup.stop()

    def test_limits_that_only_the_program_can_keep_are_told(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d; max_connections = 5;' % port)
        fdsup.wait_log("s: max_connections.* accepts by itself")

    def test_stop_closes_the_socket(self):
        port = free_port()
        fdsup = self.server('address = "127.0.0.1"; port = %d;' % port)
        self.talk(port)
        self.assertEqual(fdsup.ctl("stop", "s")[0], 0)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(port)
        self.assertEqual(fdsup.ctl("start", "s")[0], 0)
        self.assertTrue(self.talk(port))


if __name__ == "__main__":
    main()

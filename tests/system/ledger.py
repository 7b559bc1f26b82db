"""The ledger from the kernel: counters and lines are the truth, whoever serves and however it ends."""
import collections
import errno
import json
import os
import random
import re
import signal
import socket
import struct
import threading

from support import BIN, LONG, TAKER, Test, free_port, main, reap_orphans, wait_until

# How many connections the test against the truth makes.
CONNECTIONS = int(os.environ.get("FDSUP_LEDGER_CONNECTIONS", 2000))
CLIENTS = 8

# Reports nothing. The first byte says what to do.
SILENT = TAKER + r'''
import os, struct, threading
queue = socket.socket(fileno=3)
def serve(connection):
    what = connection.recv(1)
    try:
        if what == b"s":
            connection.sendall(b"bye")
        elif what == b"c":
            while connection.recv(4096):
                pass
        elif what == b"w":
            connection.sendall(b"%d\n" % os.getpid())
            while connection.recv(4096):
                pass
        elif what == b"r":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    connection.close()
while True:
    _, taken = take(queue)
    threading.Thread(target=serve, args=[socket.socket(fileno=taken)], daemon=True).start()
'''

END = re.compile(r" (\w+): END id=(\w+) peer=(\S+) .* duration=(\d+\.\d+)s .*(?:status|signal)=(\S+) in=(\S+) out=(\S+)")


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Ledger(Test):
    def silent(self, keys="", top="", others=""):
        """One service "w" whose workers report nothing, on a port of its own."""
        port = free_port()
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "worker.py")
        with open(path, "w") as f:
            f.write(SILENT)
        fdsup.write('w = { address = "127.0.0.1"; port = %d; type = "worker"; %s\n'
                    ' command = [ "/usr/bin/env", "python3", "-B", "%s" ]; };\n%s'
                    % (port, keys, path, others), top)
        fdsup.start()
        return fdsup, port

    def ends(self, fdsup, name, count=1):
        """The END lines of a service, as (peer, duration, status, in, out)."""
        fdsup.wait_log(" %s: END " % name, count)
        found = [END.search(line) for line in fdsup.log().splitlines() if " %s: END " % name in line]
        return [(m[3], float(m[4]), m[5], m[6], m[7]) for m in found]

    # -- the truth

    def client(self, kind, port, count):
        """One connection of a kind; counts what the counters must say of it."""
        denied = kind == "denied"
        source = ("127.0.0.2", 0) if denied else ("127.0.0.1", 0)
        with socket.create_connection(("127.0.0.1", port), LONG, source) as s:
            if denied:
                s.recv(10)
                count["refused"] += 1
                return
            count["served"] += 1
            if kind == "fails":
                s.sendall(b"x\n")
                self.assertEqual(s.recv(100), b"no\n")
                s.recv(1)
                count["failed"] += 1
            elif kind == "server closes":
                s.sendall(b"s")
                self.assertEqual(s.recv(100), b"bye")
                s.recv(1)
            elif kind == "server resets":
                s.sendall(b"r")
                try:
                    s.recv(1)
                except ConnectionResetError:
                    pass
            elif kind == "client closes":
                s.sendall(b"c")
            elif kind == "client resets":
                s.sendall(b"c")
                reset(s)
            elif kind == "echo and half-close":
                s.sendall(b"hello")
                s.shutdown(socket.SHUT_WR)
                self.assertEqual(self.read_all(s), b"hello")
            elif kind == "echo and close":
                s.sendall(b"hello")
                self.assertEqual(s.recv(5), b"hello")

    def test_counters_equal_the_truth(self):
        self.check_truth("max_connections = 20;")

    def check_truth(self, keys, top=""):
        ports = {name: free_port() for name in ("cat", "fails", "echo", "forward")}
        fdsup, ports["w"] = self.silent('deny = [ "127.0.0.2" ]; ' + keys, top, '''
            cat = { address = "127.0.0.1"; port = %(cat)d; command = [ "/bin/sh", "-c", "cat; exit 0" ]; deny = [ "127.0.0.2" ]; };
            fails = { address = "127.0.0.1"; port = %(fails)d;
                command = [ "/bin/sh", "-c", "read x; echo no; exit 3" ]; deny = [ "127.0.0.2" ]; };
            echo = { address = "127.0.0.1"; port = %(echo)d; builtin = "echo"; deny = [ "127.0.0.2" ]; };
            forward = { address = "127.0.0.1"; port = %(forward)d; to = "127.0.0.1:%(echo)d";
                deny = [ "127.0.0.2" ]; };''' % ports)
        kinds = {
            "cat": ["echo and half-close", "echo and close", "client closes", "client resets", "denied"],
            "fails": ["fails", "denied"],
            "echo": ["echo and half-close", "echo and close", "client closes", "client resets", "denied"],
            "forward": ["echo and half-close", "echo and close", "client closes", "denied"],
            "w": ["server closes", "server resets", "client closes", "client resets", "denied"],
        }
        counts = [{name: collections.Counter() for name in kinds} for _ in range(CLIENTS)]
        errors = []

        def run(number):
            choose = random.Random(number)
            try:
                for _ in range(CONNECTIONS // CLIENTS):
                    name = choose.choice(sorted(kinds))
                    self.client(choose.choice(kinds[name]), ports[name], counts[number][name])
            except Exception as error:
                errors.append(error)
                raise
        threads = [threading.Thread(target=run, args=[i]) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        truth = {name: sum((c[name] for c in counts), collections.Counter()) for name in kinds}
        # what comes by redirect is a client of echo as well
        truth["echo"]["served"] += truth["forward"]["served"]
        for name in kinds:
            wanted = (truth[name]["served"], truth[name]["refused"], truth[name]["failed"], 0, 0)
            keys = ("served", "refused", "failed", "lost")
            service = fdsup.wait_status(
                name, lambda s: s["connections"]["used"] == 0 and s["served"] >= wanted[0], "its end")
            self.assertEqual(tuple(service[k] for k in keys) + (service["connections"]["used"],), wanted,
                             name)
            self.assertEqual(len(self.ends(fdsup, name, wanted[0])), wanted[0], name)
        # Bytes of what always sends the same; "-" of those for whose notices the kernel had no room.
        told = [e[4] for e in self.ends(fdsup, "fails")]
        if top:
            self.assertLessEqual(set(told), {"-", "3"})
            self.assertIn(": kernel, asked for ends", fdsup.ctl("-v", "status")[1])
        else:
            self.assertEqual(set(told) - {"-"}, {"3"})
            self.assertLess(told.count("-"), len(told) / 2)
            self.assertEqual({e[4] for e in self.ends(fdsup, "w")} - {"-", "0"}, {"3"})
        # those that a worker had when it was killed are lost, and no others
        held = [self.connect(ports["echo"]) for _ in range(5)]
        for s in held:
            s.sendall(b"?")
            self.assertEqual(s.recv(1), b"?")
        os.kill(fdsup.worker_pids("echo")[0], signal.SIGKILL)
        service = fdsup.wait_status(
            "echo", lambda s: s["lost"] == 5 and s["connections"]["used"] == 0, "the loss")
        self.assertEqual(service["served"], truth["echo"]["served"])

    # -- one at a time

    def test_a_command_has_its_bytes_in_its_only_line(self):
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        self.assertEqual(self.talk(port, b"hello"), b"hello")
        (peer, duration, status, received, sent), = self.ends(fdsup, "cat")
        self.assertEqual((status, sent), ("0", "5"))
        self.assertIn(received, ("5", "6"))

    def test_the_line_of_a_client_that_does_not_read_comes_all_the_same(self):
        port = free_port()
        fdsup = self.fdsup('big = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c",'
                           ' "head -c 100000 /dev/zero" ]; };' % port)
        s = socket.socket()
        self.sockets.append(s)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", port))
        (_, _, status, _, sent), = self.ends(fdsup, "big")
        self.assertEqual(status, "0")
        self.assertLess(int(sent), 100000)
        service = fdsup.status("big")
        self.assertEqual((service["served"], service["connections"]["used"]), (1, 0))

    def test_a_place_of_a_silent_worker_is_free_when_the_connection_ends(self):
        fdsup, port = self.silent("max_connections = 3;")
        held = [self.connect(port) for _ in range(3)]
        for s in held:
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 3)
        fourth = self.connect(port)
        fourth.sendall(b"s")
        fdsup.wait_log("max_connections=3 reached")
        fourth.settimeout(0.5)
        self.assertRaises(socket.timeout, fourth.recv, 1)
        fourth.settimeout(LONG)
        held[0].close()
        self.assertEqual(fourth.recv(100), b"bye")
        fdsup.wait_status("w", lambda s: s["served"] == 2 and s["connections"]["used"] == 2)

    def test_a_new_acceptor_knows_what_silent_workers_have(self):
        fdsup, port = self.silent("max_connections = 100;")
        held = [self.connect(port) for _ in range(10)]
        for s in held:
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 10)
        before = fdsup.acceptor_pid()
        os.kill(before, signal.SIGKILL)
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() not in (None, before))
        fdsup.wait_log("taken over from an acceptor that died: 10 connections live on")
        # closed now, and counted by whoever is there
        for s in held[:4]:
            s.close()
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 6, "six that live")
        for s in held[4:]:
            s.close()
        fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0 and s["served"] == 10, "none")
        self.assertEqual(fdsup.status("w")["lost"], 0)

    # -- the list

    def connections(self, fdsup, *arguments):
        code, output, error = fdsup.ctl("--json", "connections", *arguments)
        self.assertEqual(code, 0, error)
        return json.loads(output)["connections"]

    def test_connections_shows_who_has_what(self):
        ports = {"cat": free_port(), "echo": free_port()}
        fdsup, ports["w"] = self.silent(others='''
            cat = { address = "127.0.0.1"; port = %(cat)d; command = "/bin/cat"; };
            echo = { address = "127.0.0.1"; port = %(echo)d; builtin = "echo"; };
            path = { address = "unix:%(path)s"; command = "/bin/cat"; };'''
                                         % dict(ports, path="/tmp/fdsup-ledger-%d" % os.getpid()))
        clients = {}
        for name, first in (("cat", b"hello"), ("echo", b"hello"), ("w", b"w")):
            s = clients[name] = self.connect(ports[name])
            s.sendall(first)
            self.assertTrue(s.recv(100))
        local = socket.socket(socket.AF_UNIX)
        self.sockets.append(local)
        local.connect("/tmp/fdsup-ledger-%d" % os.getpid())
        local.sendall(b"hello")
        self.assertTrue(local.recv(100))

        def listed():
            rows = {row["service"]: row for row in self.connections(fdsup)}
            stages = {name: row["stage"] for name, row in rows.items()}
            return rows if stages == {"cat": "started", "echo": "taken", "w": "taken", "path": "started"} else None
        rows = wait_until("all are served", listed)
        for name, s in clients.items():
            self.assertEqual(rows[name]["peer"], "127.0.0.1:%d" % s.getsockname()[1])
            self.assertEqual(rows[name]["local"], "127.0.0.1:%d" % ports[name])
            self.assertEqual(rows[name]["state"], "ESTABLISHED")
            self.assertEqual(rows[name]["protocol"], "tcp")
            # the kernel counts in ticks
            self.assertGreaterEqual(rows[name]["age_ms"] + 10, rows[name]["idle_ms"])
        self.assertEqual((rows["cat"]["bytes_in"], rows["cat"]["bytes_out"]), (5, 5))
        self.assertIn(rows["echo"]["worker"], fdsup.worker_pids("echo"))
        # it has said nothing: its descriptors tell
        self.assertIn(rows["w"]["worker"], fdsup.worker_pids("w"))
        self.assertEqual(rows["w"]["pid"], rows["w"]["worker"])
        self.assertEqual(rows["path"]["state"], "CONNECTED")
        self.assertEqual([rows["path"][k] for k in ("recv_q", "rtt_us", "bytes_in")], [None] * 3)
        # what is chosen
        self.assertEqual({r["service"] for r in self.connections(fdsup, "cat", "w")}, {"cat", "w"})
        self.assertEqual({r["service"] for r in self.connections(fdsup, "--state", "started")}, {"cat", "path"})
        self.assertEqual({r["service"] for r in self.connections(fdsup, "--worker", str(rows["cat"]["pid"]))}, {"cat"})
        self.assertEqual(len(self.connections(fdsup, "--source", "127.0.0.0/8")), 3)
        self.assertEqual(self.connections(fdsup, "--source", "192.0.2.1"), [])
        self.assertEqual(fdsup.ctl("connections", "--source", "localhost")[0], 64)
        # netstat's six columns first
        lines = fdsup.order("connections", "--sort", "service").splitlines()
        self.assertRegex(lines[0], r"^Proto +Recv-Q +Send-Q +Local Address +Foreign Address +State +Service ")
        self.assertRegex(lines[1], r"^tcp +0 +0 +127.0.0.1:%d +127.0.0.1:\d+ +ESTABLISHED +cat +\d+ +started " % ports["cat"])
        # what is not read shows
        clients["w"].sendall(b"x")
        self.assertEqual(fdsup.order("connections", "-o", "service", "w").split(), ["Service", "w"])

    def test_what_a_silent_worker_has_is_found_at_once_and_what_it_has_forked_as_well(self):
        forks = r'''
import os, signal
queue = socket.socket(fileno=3)
for _ in range(2):
    if os.fork() == 0:
        _, taken = take(queue)
        os.write(taken, b"%d\n" % os.getpid())
        signal.pause()
signal.pause()
'''
        path, other = "/tmp/fdsup-ledger-forks-%d" % os.getpid(), free_port()
        with open(path, "w") as f:
            f.write(TAKER + forks)
        self.addCleanup(os.unlink, path)
        fdsup, port = self.silent('workers = { min = 2; max = 2; };', others='''
            f = { address = "127.0.0.1"; port = %d; type = "worker"; workers = { max = 1; };
                command = [ "/usr/bin/env", "python3", "-B", "%s" ]; };''' % (other, path))
        pids = {}
        for at in [port] * 6 + [other] * 2:
            s = self.connect(at)
            s.sendall(b"w")
            pids["127.0.0.1:%d" % s.getsockname()[1]] = int(s.recv(100))
        # no connection has ended yet, from which it could be known that its workers report nothing
        rows = self.connections(fdsup)
        self.assertEqual({row["peer"]: row["pid"] for row in rows}, pids)
        self.assertEqual({row["stage"] for row in rows}, {"taken"})
        self.assertEqual([row["worker"] for row in rows if row["service"] == "f"], 2 * fdsup.worker_pids("f"))
        worker = fdsup.worker_pids("w")[0]
        self.assertEqual({row["pid"] for row in self.connections(fdsup, "--worker", str(worker))} or {worker}, {worker})

    def test_listeners_show_what_was_dropped_and_what_waits(self):
        port = free_port()
        fdsup = self.fdsup('s = { address = "127.0.0.1"; port = %d; backlog = 1; queue = 2; type = "worker";'
                           ' workers = { min = 1; max = 1; }; command = [ "/bin/sleep", "1000" ]; };' % port)
        row, = fdsup.listeners("s")
        self.assertEqual((row["drops"], row["queue"], row["oldest_ms"]), (0, 0, None))
        # So many in the queue (six, the least that the kernel can do), one in the acceptor's hand, two in
        # the kernel; the others find no room.
        for _ in range(12):
            s = socket.socket()
            self.sockets.append(s)
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))

        def seen():
            row, = fdsup.listeners("s")
            return row if row["drops"] > 0 and row["queue"] >= 2 and row["oldest_ms"] else None
        wait_until("drops", seen)

    def test_addresses_are_listed_as_the_service_allows(self):
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; log_address = "none"; };' % port)
        s = self.connect(port)
        s.sendall(b"?")
        s.recv(1)
        row, = self.connections(fdsup)
        self.assertEqual(row["peer"], "-")
        self.assertEqual(self.connections(fdsup, "--source", "127.0.0.1"), [])

    def test_the_list_is_made_while_an_acceptor_dies(self):
        fdsup, port = self.silent()
        held = [self.connect(port) for _ in range(20)]
        for s in held:
            s.sendall(b"w")
            self.assertTrue(s.recv(100))
        for _ in range(5):
            before = fdsup.acceptor_pid()
            os.kill(before, signal.SIGKILL)
            self.connections(fdsup)
            wait_until("another acceptor", lambda: fdsup.acceptor_pid() != before)
        wait_until("all are known again", lambda: len(self.connections(fdsup)) == 20)

    def test_status_says_who_tells(self):
        fdsup, _ = self.silent()
        wait_until("it is ready", lambda: "ledger: kernel\n" in fdsup.order("-v", "status"))
        self.assertEqual(fdsup.status()["daemon"]["acceptors"][0]["ledger"], "kernel")

    def test_what_the_kernel_lacks_is_said_and_is_unknown(self):
        port = free_port()
        fdsup = self.unstarted('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        errors = os.path.join(fdsup.directory, "errors")
        with open(errors, "w") as f:
            f.write("socket %d %d\n" % (errno.EPROTONOSUPPORT, socket.AF_NETLINK))
        fdsup.prefix = [os.path.join(BIN, "inject"), errors, "socket"]
        fdsup.start()
        said = "ledger: reports; missing: the kernel's answers about connections (modules inet_diag and tcp_diag)\n"
        wait_until("it is ready", lambda: said in fdsup.order("-v", "status"))
        with self.connect(port) as s:
            s.sendall(b"hello")
            self.assertEqual(s.recv(5), b"hello")
            row, = self.connections(fdsup)
            self.assertEqual([row[k] for k in ("state", "recv_q", "rtt_us", "idle_ms", "bytes_in", "bytes_out")],
                             [None] * 6)
            self.assertEqual(row["stage"], "started")
            self.assertRegex(fdsup.order("connections"), r"\ntcp +- +- +127\.0\.0\.1:%d +\S+ +- +cat " % port)
        fdsup.wait_status("cat", lambda s: s["served"] == 1 and s["connections"]["used"] == 0, "its end")
        fdsup.stop()
        reap_orphans()  # who answered for the kernel ends after the last that it answered for

    def test_without_the_kernel_reports_are_all(self):
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port,
                           top='ledger = "reports";')
        wait_until("it is ready", lambda: "ledger: reports\n" in fdsup.order("-v", "status"))
        self.assertEqual(self.talk(port, b"hello"), b"hello")
        (_, _, status, received, sent), = self.ends(fdsup, "cat")
        self.assertEqual((status, received, sent), ("0", "-", "-"))


if __name__ == "__main__":
    main()

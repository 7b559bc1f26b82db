"""The admin channel as others see it: an independent client, every method of the served description, and
hostile clients against the real daemon, which stays under its bound of memory and answers others at once."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from support import IS_SANITIZED, LONG, Test, as_nobody, free_port, main, needs_root, wait_until
from varlink_client import Client

SOURCE = os.environ["FDSUP_SOURCE"]
GO_LIBRARY = "/usr/share/gocode/src/github.com/varlink/go/varlink"


class Varlink(Test):
    def cat(self, name, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, free_port(), keys)

    def client(self, fdsup):
        client = Client(fdsup.socket_path)
        self.sockets.append(client.socket)
        return client

    def described(self, fdsup):
        with Client(fdsup.socket_path) as client:
            text = client.call("org.varlink.service.GetInterfaceDescription", interface="org.fdsup")
        return re.findall(r"(?m)^method (\w+)", text["parameters"]["description"])

    # -- what is served is what is there

    def test_each_method_of_the_description_is_there(self):
        fdsup = self.fdsup(self.cat("a"))
        for method in self.described(fdsup):
            if method == "Upgrade":  # would do it
                continue
            with Client(fdsup.socket_path) as client:
                # A parameter of a wrong type: nothing is carried out, and no answer says that it is unknown.
                client.send("org.fdsup." + method, services=7, service=7, dry_run=7, limit=-1, id=7)
                error = client.receive().get("error")
            self.assertNotIn(error, ("org.varlink.service.MethodNotFound", None), method)

    def test_the_manual_names_them_all(self):
        with open(os.path.join(SOURCE, "man", "fdsupctl.8")) as f:
            text = f.read()
        named = re.search(r"(?s)The methods are\n(.*?);\n", text)[1]
        self.assertEqual(set(re.findall(r"\.Ql (\w+)", named)), set(self.described(self.fdsup(self.cat("a")))))

    @unittest.skipUnless(shutil.which("go") and os.path.isdir(GO_LIBRARY),
                         "golang-go and golang-github-varlink-go-dev are not installed")
    def test_a_client_that_is_not_ours(self):
        fdsup = self.fdsup(self.cat("a") + self.cat("off", "enabled = false;"))
        directory = tempfile.mkdtemp(prefix="fdsup-go-")
        try:
            program = os.path.join(directory, "client")
            environment = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
                               GOCACHE=os.path.join(directory, "cache"), HOME=directory)
            subprocess.run(["go", "build", "-o", program, os.path.join(SOURCE, "tests/programs/varlink_client.go")],
                           env=environment, check=True, timeout=300)
            done = subprocess.run([program, fdsup.socket_path], capture_output=True, timeout=LONG)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        lines = done.stdout.decode().split("\n")
        for line in ("product fdsup", "interface org.fdsup", "interface org.varlink.service", "state a ON-DEMAND",
                     "state off STOPPED", "error org.fdsup.UnknownService", "event begin true"):
            self.assertIn(line, lines)
        self.assertEqual([line.split()[1] for line in lines if line.startswith("method ")], self.described(fdsup))

    @needs_root
    def test_each_refused_request_is_logged(self):
        fdsup = self.fdsup(self.cat("a"), top='admin = { status = [ "*" ]; };')
        for verb in (["stop", "a"], ["pause", "a"], ["drain", "a"], ["resume", "a"]):
            self.assertEqual(fdsup.ctl(*verb, prefix=as_nobody())[0], 4)
            fdsup.wait_log(r"admin: denied uid 65534 pid \d+ org\.fdsup\.%s" % verb[0].capitalize())

    # -- hostile clients

    def rss(self, fdsup):
        with open("/proc/%d/status" % fdsup.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def check_memory(self, fdsup, before, kib):
        if not IS_SANITIZED:
            self.assertLess(self.rss(fdsup) - before, kib)

    def answered_in_ms(self, fdsup):
        """The best of a few: that of the daemon, not of a machine with much else to do."""
        times = []
        for _ in range(5):
            begin = time.monotonic()
            with Client(fdsup.socket_path) as client:
                self.assertIn("parameters", client.call("org.fdsup.Status"))
            times.append((time.monotonic() - begin) * 1000)
        return min(times)

    def test_a_hundred_megabytes_without_an_end(self):
        fdsup = self.fdsup(self.cat("a"))
        before = self.rss(fdsup)
        client = self.client(fdsup)
        sent = 0
        try:
            while sent < 100 << 20:
                sent += client.socket.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        self.assertLess(sent, 4 << 20)
        self.check_memory(fdsup, before, 4096)
        self.assertLess(self.answered_in_ms(fdsup), 100)

    def test_a_thousand_idle_connections_and_a_thousand_halves(self):
        fdsup = self.fdsup(self.cat("a"))
        before = self.rss(fdsup)
        for text in (b"", b'{"method":"org.fdsup.Sta'):
            clients = []
            for _ in range(1000):
                clients.append(self.client(fdsup))
                try:
                    clients[-1].socket.sendall(text)
                except (BrokenPipeError, ConnectionResetError):
                    pass
            self.assertLess(self.answered_in_ms(fdsup), 100)
            self.check_memory(fdsup, before, 4096)
            for client in clients:
                client.close()
        self.assertLess(self.answered_in_ms(fdsup), 100)

    def test_many_readers_that_never_read(self):
        fdsup = self.fdsup("".join(self.cat("service-%d" % n) for n in range(20)))
        before = self.rss(fdsup)
        deaf = []
        for method in ("Status", "Events") * 50:
            client = self.client(fdsup)
            client.send("org.fdsup." + method, more=True, interval_ms=250)
            deaf.append(client)
        for client in deaf[::2]:
            client.socket.setblocking(False)
            try:
                client.socket.sendall(json.dumps({"method": "org.fdsup.Status"}).encode() * 1 + b"\0")
            except OSError:
                pass
        for _ in range(10):
            self.assertLess(self.answered_in_ms(fdsup), 100)
        self.check_memory(fdsup, before, 48 * 1024)

    def test_garbage_of_many_clients(self):
        fdsup = self.fdsup(self.cat("a"))
        before = len(os.listdir("/proc/%d/fd" % fdsup.pid))
        for n in range(200):
            client = self.client(fdsup)
            try:
                client.socket.sendall(os.urandom(1 + n * 37 % 4000) + b"\0")
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertLess(self.answered_in_ms(fdsup), 100)
        for client in self.sockets:
            client.close()
        wait_until("no descriptor is left",
                   lambda: len(os.listdir("/proc/%d/fd" % fdsup.pid)) <= before)


if __name__ == "__main__":
    main()

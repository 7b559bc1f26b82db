#!/usr/bin/env python3
"""What fdsupctl costs where there is much to show: a worker full of idle connections, and many services.

One service of type "worker" (examples/worker-http) holds idle connections, from several addresses of
loopback, while every verb that shows something is timed; some of the connections ask now and then,
for they must be alive. Then many services of type "exec" are started, the first and the last are used,
and the verbs are timed again, with nothing going on and with a client that keeps connecting.

  scale.py [--connections N] [--services N] [--runs N]

Builds fdsup (Release). Needs a limit on open files above the connections; root raises it. Nothing
here is a test: it prints figures and judges none.
"""
import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from servers import Fdsup, free_ports, whoami

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RELEASE = os.path.join(TOP, "build/release")
SOURCES = 8                 # addresses that clients come from
SPARE = 1000                # descriptors beside the connections
PER_SERVICE = 6             # descriptors of the supervisor for each service
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


class ManyConnections(Fdsup):
    """One worker service on ports[0]; `command` is the worker."""
    services = ('  http = { address = "127.0.0.1"; port = %d; type = "worker"; command = [ "%s" ];\n'
                '           ready = "notify"; workers = { min = 1; max = 1; }; };\n')

    def arguments(self):
        self.nofile = (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        path = self.write("fdsup.conf", (
            'runtime_dir = "%s/run";\nlog = { to = "%s/fdsup.log"; };\n'
            'defaults = { user = "%s"; max_connections = 0; log = [ ]; };\nservices = {\n%s};\n') % (
                self.directory, self.directory, whoami(), self.services % (self.ports[0], self.command[0])))
        return [os.path.join(RELEASE, "bin/fdsup"), "-c", path]


class ManyServices(Fdsup):
    def arguments(self):
        self.nofile = (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        return super().arguments()


def build(directory):
    script = ('set -eu; . "$1/cmake/debian-packages.sh"; packages_need $packages_to_build >&2; '
              'cmake -S "$1" -B "$1/build/release" -G Ninja -DCMAKE_BUILD_TYPE=Release '
              '$([ -e "$1/build/release/CMakeCache.txt" ] || echo -DFDSUP_TESTS=OFF); '
              'cmake --build "$1/build/release"; '
              'musl-gcc -std=gnu17 -Os -static -o "$2/tiny" "$1/tests/bench/tiny.c"')
    done = subprocess.run(["bash", "-c", script, "scale.py", TOP, directory], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode:
        sys.exit(done.stdout[-4000:] + "\nscale.py: the build failed")


def raise_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return
        except (ValueError, OSError):
            sys.exit("scale.py: %d open files are needed, the limit is %d" % (wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


# ---- fdsupctl

def ctl(server, *verb):
    return subprocess.run([os.path.join(RELEASE, "bin/fdsupctl"), "-s", server.directory + "/run/admin.sock", *verb],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def time_verbs(server, verbs, runs, note=""):
    for verb in verbs:
        took = []
        for _ in range(runs):
            start = time.monotonic()
            output = ctl(server, *verb)
            took.append((time.monotonic() - start) * 1000)
        print("  fdsupctl %-22s median %6.1f ms, longest %6.1f ms; %d lines, %d bytes%s" % (
            " ".join(verb), statistics.median(took), max(took), output.count(b"\n"), len(output), note), flush=True)


# ---- many connections

def hold(port, n):
    held = []
    for i in range(n):
        s = socket.socket()
        s.bind(("127.0.0.%d" % (2 + i % SOURCES), 0))
        s.settimeout(30)
        s.connect(("127.0.0.1", port))
        held.append(s)
    return held


def ask(s):
    s.sendall(REQUEST)
    return s.recv(4096).startswith(b"HTTP/1.1 200 ")


def wait_used(server, n):
    """Until status counts n connections; returns how long that took."""
    start = time.monotonic()
    while time.monotonic() < start + 60:
        used = json.loads(ctl(server, "--json", "status"))["services"][0]["connections"]["used"]
        if used == n:
            return time.monotonic() - start
    raise RuntimeError("status counts %d connections, not %d" % (used, n))


def connections(directory, options):
    command = [os.path.join(RELEASE, "examples/worker-http")]
    server = ManyConnections(directory, TOP, command, free_ports(1), False)
    held = []
    try:
        server.start()
        server.wait_listening(server.ports[0])
        start = time.monotonic()
        held = hold(server.ports[0], options.connections)
        connected = time.monotonic()
        wait_used(server, len(held))
        counted = time.monotonic()
        answered = sum(map(ask, held))
        print("%d connections: connected in %.2f s, all counted %.2f s later; %d answered in %.2f s; PSS %d KiB" % (
            len(held), connected - start, counted - connected, answered, time.monotonic() - counted, server.pss_kib()))
        time_verbs(server, (("status",), ("status", "http"), ("workers",), ("listeners",), ("--json", "status")),
                   options.runs)
        for s in held:
            s.close()
        print("  all closed: counted after %.2f s" % wait_used(server, 0), flush=True)
    finally:
        for s in held:
            s.close()
        server.stop()


# ---- many services

def services(directory, options):
    server = ManyServices(directory, TOP, [os.path.join(directory, "tiny")], free_ports(options.services), False)
    try:
        start = server.start()
        first = server.wait_answer(server.ports[0])
        last = server.wait_answer(server.ports[-1])
        print("%d services: the first answers after %.0f ms, the last after %.0f ms; PSS %d KiB, %d descriptors" % (
            options.services, (first - start) * 1000, (last - start) * 1000, server.pss_kib(),
            len(os.listdir("/proc/%d/fd" % server.process.pid))))
        verbs = (("status",), ("status", "s%d" % (options.services - 1)), ("listeners",), ("workers",), ("--json", "status"))
        time_verbs(server, verbs, options.runs)
        with Clients(server.ports) as clients:
            time_verbs(server, verbs, options.runs, " (with clients)")
        print("  %d clients served meanwhile" % clients.n)
        start = time.monotonic()
        server.process.terminate()
        server.process.wait(60)
        print("  stopped in %.0f ms" % ((time.monotonic() - start) * 1000), flush=True)
    finally:
        server.stop()


class Clients:
    """One connection after the other, each to the next service."""

    def __init__(self, ports):
        self.ports, self.n, self.is_over = ports, 0, False
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.is_over:
            with socket.create_connection(("127.0.0.1", self.ports[self.n % len(self.ports)]), 30) as s:
                self.n += len(s.recv(16)) > 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.is_over = True
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=21, help="of each verb")
    options = parser.parse_args()
    raise_limit(max(options.connections + SPARE, PER_SERVICE * options.services + SPARE))
    directory = tempfile.mkdtemp(prefix="fdsup-scale-")
    os.chmod(directory, 0o755)
    try:
        build(directory)
        print("%d CPUs, Linux %s" % (os.cpu_count(), os.uname().release))
        if options.connections:
            connections(directory, options)
        if options.services:
            services(directory, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

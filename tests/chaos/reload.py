#!/usr/bin/env python3
"""Reloads, again and again, under load on services of every type: who notices, and how long nobody is accepted.

The real fdsup has a service of each type; clients keep connecting to all of them, and each wants its whole
answer. Twice a second the configuration changes: commands that are started otherwise, so that workers
roll, limits, a port that moves from one service to another and back, services that come and go. Nobody may
be refused, reset or cut short, and in the end fdsup has no more descriptors than in the beginning.

How long a client waits from its connection to its answer is told apart for the tenth of a second after each
reload and for the rest of the time: the difference is what a reload costs.

  reload.py [--seconds N] [--per-second N] [--clients N] [--seed N]

Needs FDSUP_BIN, the folder of the programs. FDSUP_CHAOS_SECONDS is another way to say --seconds.
"""
import argparse
import collections
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "system"))
from external import WORKER as EXTERNAL  # noqa: E402
from rolling import PROGRAM  # noqa: E402
from support import Fdsup, children, count_descriptors, free_port, wait_until  # noqa: E402
from clients import read_all, talk  # noqa: E402

AFTER_RELOAD = 0.1
LATE = 1.0


def one_byte(s, token):
    """What a service of any type sends back at the end, whatever it may say before."""
    del token
    s.sendall(b"x")
    s.shutdown(socket.SHUT_WR)
    answer = read_all(s)
    return answer.endswith(b"x"), answer


class Client(threading.Thread):
    """One connection to one service after the other; when each began, how long it took, how it ended."""

    def __init__(self, port, pause):
        super().__init__()
        self.port, self.pause = port, pause
        self.results = []
        self.is_over = False
        self.start()

    def run(self):
        while not self.is_over:
            began = time.monotonic()
            outcome, _ = talk(self.port, one_byte)
            self.results.append((began, time.monotonic() - began, outcome))
            time.sleep(self.pause)


class Rig:
    """fdsup with all types, and the other program that the external one needs."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.fdsup = Fdsup("", start=False)
        folder = self.fdsup.directory
        self.program = os.path.join(folder, "program.py")
        with open(self.program, "w") as f:
            f.write(PROGRAM)
        self.socket = os.path.join(folder, "external.sock")
        self.external = subprocess.Popen([sys.executable, "-B", "-c", EXTERNAL, self.socket])
        self.ports = {name: free_port() for name in
                      ("exec", "worker", "listen", "external", "redirect", "builtin", "moving")}
        self.spare = free_port()
        self.n = 0
        self.write()
        self.fdsup.start()
        self.fdsup.wait_state("worker", "UP")
        self.fdsup.wait_state("listen", "UP")

    def write(self):
        """The next configuration: every type is asked for other workers."""
        self.n += 1
        at = 'address = "127.0.0.1"; port = %d; '
        other = 'environment = [ "N=%d" ]; ' % self.n
        ours = 'idle_timeout = "%ds"; ' % (10 + self.n % 50)
        stays = 'command = [ "%s", "-B", "%s", "n", "good" ]; ready = "notify"; ' % (sys.executable, self.program)
        services = {
            "exec": at % self.ports["exec"] + 'command = "/bin/cat"; ' + other,
            "worker": at % self.ports["worker"] + 'type = "worker"; workers = { min = 2; max = 2; }; ' + stays + other,
            "listen": at % self.ports["listen"] + 'type = "listen"; workers = { min = 1; max = 1; }; ' + stays + other,
            "external": at % self.ports["external"] + 'type = "external"; worker_socket = "%s"; ' % self.socket + ours,
            "redirect": at % self.ports["redirect"] + 'to = "127.0.0.1:%d"; ' % self.ports["exec"] + ours,
            "builtin": at % self.ports["builtin"] + 'builtin = "echo"; ' + ours,
            "daemon": 'command = "/bin/sleep 1000"; ' + other,
            "left": at % (self.ports["moving"] if self.n % 2 else self.spare) + 'builtin = "echo"; ',
            "right": at % (self.spare if self.n % 2 else self.ports["moving"]) + 'command = "/bin/cat"; ',
        }
        if self.chance.random() < 0.5:
            services["extra%d" % (self.n % 3)] = 'address = "unix:@%s-%d"; builtin = "echo"; ' % (
                self.fdsup.directory, self.n % 3)
        limit = "max_connections = %d; " % (200 + self.n % 7)
        self.fdsup.write("\n".join("%s = { %s%s};" % (
            name, text, "" if name in ("daemon", "listen") else limit) for name, text in services.items()))

    def close(self):
        self.external.kill()
        self.external.wait()
        self.fdsup.close()


def reload_for(rig, options):
    """Returns when each reload was asked for."""
    start, times = time.monotonic(), []
    for n in range(int(options.seconds * options.per_second)):
        time.sleep(max(0, start + n / options.per_second - time.monotonic()))
        rig.write()
        times.append(time.monotonic())
        rig.fdsup.signal(signal.SIGHUP)
    return times


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("nan")


def report(name, results, times):
    """One line for a service; returns its outcomes."""
    counts = collections.Counter(outcome for _, _, outcome in results)
    near, far = [], []
    for began, took, outcome in results:
        is_near = any(began - AFTER_RELOAD < t < began + took for t in times)
        if outcome == "served":
            (near if is_near else far).append(took)
    print("%-9s %7d served  after a reload: %5.1f %6.1f %7.1f ms  else: %5.1f %6.1f %7.1f ms  %s" % (
        name, counts["served"], share(near, .5), share(near, .99), share(near, 1), share(far, .5),
        share(far, .99), share(far, 1),
        ", ".join("%d %s" % (n, kind) for kind, n in counts.items() if kind != "served")), flush=True)
    return counts, sum(took > LATE for _, took, _ in results)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FDSUP_CHAOS_SECONDS", 5)))
    parser.add_argument("--per-second", type=float, default=2, help="reloads")
    parser.add_argument("--clients", type=int, default=1, help="at a time for each service")
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two connections of a client")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    return parser.parse_args()


def settle(rig):
    """All old workers are gone, and so is everything that a reload has begun."""
    before = rig.fdsup.count_log("reloaded: ")
    rig.fdsup.ctl("reload")
    rig.fdsup.wait_log("reloaded: ", before + 1)
    def old_workers():
        return [w for name in ("worker", "listen") for w in rig.fdsup.workers(name) if w["state"] != "READY"]
    try:
        wait_until("no old worker", lambda: not old_workers())
    except AssertionError:
        raise AssertionError("still there: %r\n%s" % (old_workers(), rig.fdsup.last_lines())) from None


def run(rig, options):
    settle(rig)
    clients = [(name, Client(port, options.pause)) for name, port in rig.ports.items()
               for _ in range(options.clients)]
    try:
        wait_until("all serve", lambda: all(c.results for _, c in clients))
        descriptors = count_descriptors(rig.fdsup.pid)
        times = reload_for(rig, options)
    finally:
        for _, client in clients:
            client.is_over = True
        for _, client in clients:
            client.join()
    problems, late = [], 0
    print("%d reloads; milliseconds from connection to end of answer: median, 99 %%, slowest" % len(times))
    for name in rig.ports:
        results = [r for n, c in clients if n == name for r in c.results]
        counts, n_late = report(name, results, times)
        late += n_late
        problems += ["%s: %d %s" % (name, n, kind) for kind, n in counts.items() if kind != "served"]
    print("%d waited for more than a second" % late)
    settle(rig)
    failed = rig.fdsup.count_log("reload failed|: reload: given up")
    if failed:
        problems.append("%d reloads failed" % failed)
    lost = sum(s["lost"] for s in rig.fdsup.status()["services"])
    if lost:
        problems.append("fdsup counts %d lost" % lost)
    try: # services that came and went have taken theirs along
        wait_until("descriptors", lambda: count_descriptors(rig.fdsup.pid) <= descriptors + 8)
    except AssertionError:
        problems.append("%d descriptors, and %d before" % (count_descriptors(rig.fdsup.pid), descriptors))
    if rig.fdsup.stop() != 0:
        problems.append("fdsup ended badly")
    rig.external.kill()
    rig.external.wait()
    if children():
        problems.append("fdsup left something: %r" % children())
    return problems


def main():
    options = parse()
    print("%g s, seed %d" % (options.seconds, options.seed), flush=True)
    rig = Rig(options.seed)
    try:
        problems = run(rig, options)
        if problems:
            print(rig.fdsup.last_lines())
    finally:
        rig.close()
    sys.exit("reload.py: " + "; ".join(problems) if problems else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""One kind of harm after the other, at random moments and under load: how many clients notice.

The real fdsup serves one service of each type that has a queue of ours, clients keep connecting to all
of them, and each wants its whole answer. For each kind of harm the run prints how the clients fared. One
that was connected and did not get its whole answer is lost, unless its own worker or command was the
one that was killed while serving it: then fdsup itself has named its connection as lost with the worker, or
the worker had it among its descriptors when it was killed (an acceptor that is killed at the same time
names nothing any more).
An exec service is not excused: there a worker is no command. It also counts how often its command was
started for a connection.

Afterwards fdsup must have as many processes, descriptors and socket files as before, and hardly more
memory; after upgrades alone it must be the very same processes and sockets. And it must end without
leaving anything.

  run.py [--kind worker|acceptor|reload|upgrade|supervisor|mixed]... [--seconds N] [--clients N] [--seed N]

Without --kind all of them, --seconds each (by default $FDSUP_CHAOS_SECONDS, or 3). Needs FDSUP_BIN, the
folder of the programs, whose sibling examples/ holds workers.
"""
import argparse
import collections
import json
import os
import random
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "system"))
from support import (BIN, IS_SANITIZED, Fdsup, children, count_descriptors, descendants,  # noqa: E402
                     free_port, wait_until, zombies)
from clients import FAILURES, Clients, echo, hesitating_http, http, line  # noqa: E402

EXAMPLES = os.path.normpath(os.path.join(BIN, os.pardir, "examples"))
SELF_SERVING = ("http", "echo", "redirect")     # who is killed there is who serves
MEMORY_SLACK_KIB = 4096
SETTLE_S = 180              # an acceptor believes its predecessor's count of connections for a minute

# Counted by the command itself, before it does anything else: by what port it was started for.
SCRIPT = 'echo "$REMOTE_PORT" >> %s\nread -r line && echo "got $line"\n'


# ---- what is served

class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())


class Target:
    """What the redirect service leads to: it sends a line back."""

    def __init__(self):
        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True
            request_queue_size = 1024
        self.server = Server(("127.0.0.1", 0), Answer)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Site:
    """The configuration with its variations, the external worker, the clients."""

    def __init__(self):
        self.fdsup = Fdsup("", start=False)
        directory = self.fdsup.directory
        self.starts = os.path.join(directory, "starts")
        open(self.starts, "w").close()
        os.chmod(self.starts, 0o666)
        self.command = self.fdsup.script("command", SCRIPT % self.starts)
        self.external_socket = os.path.join(directory, "external.sock")
        self.unix = os.path.join(directory, "exec.sock")
        self.ports = {name: free_port() for name in ("exec", "http", "echo", "redirect", "external")}
        self.target = Target()
        self.external = subprocess.Popen([os.path.join(EXAMPLES, "worker-http"), self.external_socket],
                                         stdin=subprocess.DEVNULL)
        self.n_reloads = 0
        self.in_killed_hands = set()
        self.is_over = threading.Event()
        self.reaper = threading.Thread(target=self.reap, daemon=True)
        self.reaper.start()
        self.write()

    def write(self):
        """Every second version has another environment (workers roll) and another limit (told)."""
        n = self.n_reloads % 2
        common = ('log = [ ]; max_connections = %d; environment = [ "CHAOS=%d" ];'
                  ' workers = { min = 2; max = 2; };' % (1000 + n, n))
        plain = common.replace('environment = [ "CHAOS=%d" ];' % n, "")
        where = {name: 'address = "127.0.0.1"; port = %d;' % port for name, port in self.ports.items()}
        http_worker = os.path.join(EXAMPLES, "worker-http")
        self.fdsup.write("\n".join([
            'exec = { %s command = [ "%s" ]; %s };' % (where["exec"], self.command, common),
            'unix = { address = "unix:%s"; command = [ "%s" ]; socket_mode = "0666"; %s };' % (
                self.unix, self.command, common),
            'http = { %s type = "worker"; command = [ "%s" ]; ready = "notify"; %s };' % (
                where["http"], http_worker, common),
            'echo = { %s type = "builtin"; builtin = "echo"; %s };' % (where["echo"], plain),
            'redirect = { %s type = "redirect"; to = "127.0.0.1:%d"; %s };' % (
                where["redirect"], self.target.port, plain),
            'external = { %s type = "external"; worker_socket = "%s"; %s };' % (
                where["external"], self.external_socket, plain)]))

    def clients(self, n):
        return [Clients("exec", self.ports["exec"], line, n), Clients("unix", self.unix, line, n),
                Clients("http", self.ports["http"], http, n),
                Clients("http", self.ports["http"], hesitating_http, n),
                Clients("echo", self.ports["echo"], echo, n),
                Clients("redirect", self.ports["redirect"], echo, n),
                Clients("external", self.ports["external"], http, n)]

    def start(self):
        wait_until("the external worker", lambda: os.path.exists(self.external_socket))
        self.fdsup.start()
        for service in (*self.ports, "unix"):
            self.fdsup.wait_state(service, "UP")

    def n_starts(self):
        """By the client's port; None: by a Unix socket."""
        with open(self.starts) as f:
            return collections.Counter(int(port) if port.strip() else None for port in f)

    def reap(self):
        """As init does with what a killed fdsup leaves: the next one hears then how it ended."""
        while not self.is_over.wait(0.01):
            for pid in zombies(os.getpid()):
                try:
                    with open("/proc/%d/comm" % pid) as f:
                        is_awaited = f.read().strip() in ("fdsupctl", os.path.basename(sys.executable)[:15])
                    if not is_awaited and pid not in (self.external.pid, self.fdsup.pid):
                        os.waitpid(pid, os.WNOHANG)
                except (FileNotFoundError, ChildProcessError, ProcessLookupError):
                    pass

    def close(self):
        self.is_over.set()
        self.reaper.join()
        self.external.kill()
        self.external.wait()
        self.target.close()
        self.fdsup.close()


# ---- harm: each function does it once, and says how many were harmed

def all_workers(fdsup):
    _, output, _ = fdsup.ctl("--json", "workers")
    return json.loads(output)["workers"]


def ports_of_clients(pid):
    """Of those whose connections a process has."""
    inodes = {text[len("socket:["):-1] for text in sockets_of(pid)}
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    return {int(row[2].split(":")[1], 16) for row in rows if row[9] in inodes}


def harm_worker(site, chance):
    workers = [(w["pid"], w["service"]) for w in all_workers(site.fdsup) if w["pid"]]
    try:
        pid, service = chance.choice(workers)
        if service in SELF_SERVING:
            os.kill(pid, signal.SIGSTOP)    # what it has does not change while we look
            site.in_killed_hands |= {(service, port) for port in ports_of_clients(pid)}
        os.kill(pid, signal.SIGKILL)
        return 1
    except (IndexError, ProcessLookupError, FileNotFoundError):     # the one before has not been noticed yet
        return 0


def harm_acceptor(site, chance):
    del chance
    try:
        os.kill(site.fdsup.acceptor_pid(), signal.SIGKILL)
        return 1
    except ProcessLookupError:
        return 0


def harm_reload(site, chance):
    del chance
    site.n_reloads += 1
    site.write()
    site.fdsup.order("reload")
    return 1


def harm_upgrade(site, chance):
    """By the same program. Services that are changing over after a reload are waited for."""
    del chance

    def is_done():
        code, _, error = site.fdsup.ctl("upgrade")
        if code and "a reload is under way" not in error:
            raise AssertionError("fdsupctl upgrade: " + error)
        return code == 0
    wait_until("an upgrade", is_done)
    return 1


def harm_supervisor(site, chance):
    """Killed, and started again a moment later, as systemd does."""
    fdsup = site.fdsup
    fdsup.signal(signal.SIGKILL)
    fdsup.wait()
    time.sleep(chance.uniform(0, 0.2))
    fdsup.start()
    return 1


# By name: what does it, how many a second, and how many at least, however short the run is.
HARMS = {
    "worker": (harm_worker, 5, 1),
    "acceptor": (harm_acceptor, 1, 1),
    "reload": (harm_reload, 2, 1),
    "upgrade": (harm_upgrade, 1, 10),
    "supervisor": (harm_supervisor, 0.2, 5),
}
KINDS = (*HARMS, "mixed")


def harms_of(kind):
    return HARMS if kind == "mixed" else {kind: HARMS[kind]}


def do_harm(site, harms, seconds, chance):
    """Each harm at its rate, at random moments. Returns how many there were of each."""
    done = collections.Counter()
    start = time.monotonic()
    plan = sorted((chance.uniform(0, seconds), name) for name, (_, per_second, at_least) in harms.items()
                  for _ in range(max(at_least, int(seconds * per_second))))
    for when, name in plan:
        time.sleep(max(0, start + when - time.monotonic()))
        done[name] += harms[name][0](site, chance)
    time.sleep(max(0, start + seconds - time.monotonic()))
    return done


# ---- what is left

def sockets_of(pid):
    """What are sockets among its descriptors, by the kernel's numbers."""
    found = []
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.append(target)
    return sorted(found)


def belongings(site, kind):
    """All that must be there after the harm as it was before."""
    fdsup = site.fdsup
    acceptor = fdsup.acceptor_pid()
    identical = {
        "pids": sorted(descendants(fdsup.pid)),
        "sockets of fdsup": sockets_of(fdsup.pid),
    }
    return {
        **(identical if kind == "upgrade" else {}),
        # Those of a fdsup that was killed are our children now.
        "processes": sorted(name for name in descendants(os.getpid()).values() if name != "<zombie>"),
        "descriptors of fdsup": count_descriptors(fdsup.pid),
        "descriptors of the acceptor": count_descriptors(acceptor),
        "files": sorted(os.listdir(fdsup.runtime_dir) + os.listdir(fdsup.directory)),
    }


def memory_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])


def resident(site):
    keeper, = [pid for pid, name in descendants(os.getpid()).items() if name == "fdsup-keeper"]
    return {"fdsup": site.fdsup.pid, "acceptor": site.fdsup.acceptor_pid(), "keeper": keeper}


def settle(site):
    for service in (*site.ports, "unix"):
        site.fdsup.wait_status(service, lambda s: s["connections"]["used"] == 0, "all ended",
                               SETTLE_S)
        site.fdsup.wait_status(service, lambda s: s["workers"]["used"] == 2, "all workers")


def kinds_of(pid):
    """How many descriptors of each kind."""
    links = ("/proc/%d/fd/%s" % (pid, fd) for fd in os.listdir("/proc/%d/fd" % pid))
    return dict(collections.Counter(re.sub(r"\d+", "N", os.readlink(link)) for link in links
                                    if os.path.lexists(link)))


def expect_belongings(site, kind, before):
    last = {}

    def is_as_before():
        last.update(belongings(site, kind))
        return last == before
    try:
        wait_until("all is as before", is_as_before)
        return []
    except AssertionError:
        return ["%s: %r before, %r after" % (key, before[key], last[key])
                for key in before if before[key] != last[key]] + [
                    "now fdsup has %r, the acceptor %r" % (
                        kinds_of(site.fdsup.pid), kinds_of(site.fdsup.acceptor_pid()))]


# ---- one kind

def named_as_lost(site, since_line):
    """{(service, port)} that fdsup's log names as lost with a worker that served them."""
    found = set()
    for text in site.fdsup.log().split("\n")[since_line:]:
        m = re.search(r" (\w+): LOST .*peer=127\.0\.0\.1:(\d+)", text)
        if m:
            found.add((m[1], int(m[2])))
    return found


def imbalances(site):
    """Whoever was accepted has been served, refused or lost, and that once: all have ended."""
    return ["%s: accepted %d, but served %d + refused %d + lost %d" % (
                s["name"], s["accepted"], s["served"], s["refused"], s["lost"])
            for s in site.fdsup.status()["services"]
            if s["accepted"] != s["served"] + s["refused"] + s["lost"]]


def sum_up(site, kind, clients, done, seconds, named):
    counts = sum((c.counts for c in clients), collections.Counter())
    excused = [f for c in clients for f in c.failed
               if c.service in SELF_SERVING and (c.service, f[1]) in named | site.in_killed_hands]
    lost = [(c.service, *f) for c in clients for f in c.failed if f not in excused]
    statuses = {s["name"]: s for s in site.fdsup.status()["services"]}
    print("%s: %s in %.0f s" % (kind, ", ".join("%d x %s" % (n, name) for name, n in done.items()), seconds))
    print("  clients: %d served (%.0f/s), %s" % (counts["served"], counts["served"] / seconds, ", ".join(
        "%d %s" % (counts[outcome], outcome) for outcome in FAILURES)))
    print("  %d lost; %d more were being served by a worker that was killed; %d delayed over a second; "
          "the slowest %.0f ms, the longest gap %.0f ms" % (
              len(lost), len(excused), sum(c.n_slow for c in clients),
              max(c.slowest for c in clients) * 1000, max(c.longest_gap for c in clients) * 1000))
    print("  fdsup counts: %s" % ", ".join("%s %d lost %d redelivered" % (
        name, s["lost"], s["redelivered"]) for name, s in sorted(statuses.items())))
    for entry in lost[:10]:
        print("  lost: %s %s, port %s, at %.3f" % (entry[0], entry[1], entry[2], entry[3]))
    sys.stdout.flush()
    return counts, lost


def run_kind(site, kind, options, chance):
    """Returns what is wrong."""
    problems = []
    starts_before = site.n_starts()
    since_line = len(site.fdsup.log().split("\n"))
    before = belongings(site, kind)
    memory_before = {name: memory_kib(pid) for name, pid in resident(site).items()}
    site.in_killed_hands.clear()
    clients = site.clients(options.clients)
    for c in clients:
        c.start()
    start = time.monotonic()
    done = do_harm(site, harms_of(kind), options.seconds, chance)
    for c in clients:
        c.stop()
    seconds = time.monotonic() - start
    settle(site)
    counts, lost = sum_up(site, kind, clients, done, seconds, named_as_lost(site, since_line))
    used = clients[0].used + clients[1].used
    twice = sum(max(0, n - used[port]) for port, n in (site.n_starts() - starts_before).items())
    if lost:
        problems.append("%s: %d clients were lost" % (kind, len(lost)))
    if twice:
        problems.append("%s: %d commands were started twice" % (kind, twice))
    if counts["refused"] or counts["not connected"]:
        problems.append("%s: not everybody could connect" % kind)
    if min(c.counts["served"] for c in clients) == 0 or not all(done.values()):
        problems.append("%s: nothing happened" % kind)
    problems += ["%s: %s" % (kind, text) for text in imbalances(site) + expect_belongings(site, kind, before)]
    for name, kib in memory_before.items():
        now = memory_kib(resident(site)[name])
        print("  memory of %s: %d KiB before, %d KiB after" % (name, kib, now))
        # A build that is to find errors keeps what was freed.
        if not IS_SANITIZED and now > kib + MEMORY_SLACK_KIB:
            problems.append("%s: the memory of %s grew" % (kind, name))
    return problems


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("FDSUP_CHAOS_SECONDS", 3)))
    parser.add_argument("--clients", type=int, default=2, help="of each service at a time")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    return parser.parse_args()


def warm_up(site):
    """What is made when it is first needed is there before anything is counted."""
    clients = site.clients(1)
    for c in clients:
        c.start()
    wait_until("everybody has been served", lambda: all(c.counts["served"] for c in clients))
    for c in clients:
        c.stop()
    settle(site)


def main():
    options = parse()
    print("seed %d" % options.seed, flush=True)
    chance = random.Random(options.seed)
    site = Site()
    problems = []
    try:
        site.start()
        warm_up(site)
        for kind in options.kind or KINDS:
            problems += run_kind(site, kind, options, chance)
        if site.fdsup.stop() != 0:
            problems.append("fdsup did not end well")
        try:
            wait_until("nothing is left", lambda: not set(children()) - {site.external.pid})
        except AssertionError:
            problems.append("fdsup left something: %r" % children())
        if problems:
            print("\n".join(site.fdsup.log().split("\n")[-200:]))
    finally:
        site.close()
    sys.exit("run.py: " + "; ".join(problems) if problems else 0)


if __name__ == "__main__":
    main()

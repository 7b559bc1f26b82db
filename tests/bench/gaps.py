#!/usr/bin/env python3
"""What a reload, an upgrade and the death of a worker cost those who come at that moment.

The real fdsup serves a service of each type. A client connects to one of them at a steady rate, whoever
is slow, and is told when it was accepted and when it was answered. Meanwhile, in a random order: a reload that asks
for other workers and other limits; an upgrade by the same program; and, for comparison, nothing but
fdsupctl status. A reload lasts until all workers have changed over: what comes after its first moment is
told apart ("rolling"), in pieces of the same length. Printed for each, in milliseconds:

  accepting   the longest time after it in which somebody waited and nobody was accepted
  answering   the same until the answer of a worker
  admin       the longest time after it in which the admin socket did not answer: what the supervisor
              itself was away for, upgrades above all

Then workers are killed while they are ready, one at a time, and for each type that has workers of its
own: after how long the next one is there, beside the time that fork, exec and the end of a process
take on this machine at the same moment (a program that does nothing).

Others that run on the machine are part of what is measured: it should do nothing else, or
"nice -n -20" comes before.

  gaps.py [--rounds N] [--kills N] [--microseconds N] [--period S] [--services N]

Nothing here is a test: it prints figures and judges none. Needs FDSUP_BIN, the folder of the programs (a
release build), whose sibling examples/ holds a worker.
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "system"))
from support import BIN, Fdsup, free_port, wait_until  # noqa: E402

EXAMPLES = os.path.normpath(os.path.join(BIN, os.pardir, "examples"))
QUESTION = json.dumps({"method": "org.varlink.service.GetInfo"}).encode() + b"\0"
KINDS = ("nothing", "reload", "upgrade")
KILLED = ("exec", "worker", "builtin", "redirect")


def build(directory):
    programs = {}
    for name in ("steady", "stamp"):
        programs[name] = os.path.join(directory, name)
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", programs[name],
                        os.path.join(HERE, name + ".c")], check=True)
    return programs


class Rig:
    """fdsup with one service of each type, and more that are at rest."""

    def __init__(self, programs, n_services):
        self.programs = programs
        self.n_services = n_services
        self.fdsup = Fdsup("", start=False)
        names = ("probe", "exec", "worker", "builtin", "redirect")
        self.ports = {name: free_port() for name in names}
        self.n = 0
        self.write()

    def write(self):
        """Every second version asks for other workers and other limits."""
        self.n += 1
        limit = "max_connections = %d; " % (1000 + self.n % 2)
        other = 'environment = [ "N=%d" ]; ' % (self.n % 2)
        # Its worker reports nothing, and the kernel's own threads, which tell how connections end, have to wait
        # for their turn as everybody else: what it has must not come near a limit.
        much = "max_connections = %d; " % (100000 + self.n % 2)
        two = "workers = { min = 2; max = 2; }; "
        at = {name: 'address = "127.0.0.1"; port = %d; ' % port for name, port in self.ports.items()}
        services = [
            'probe = { %s type = "worker"; command = "%s"; log = [ ]; %s };' % (
                at["probe"], self.programs["stamp"], two + much + other),
            'exec = { %s command = "/bin/cat"; %s };' % (at["exec"], two + limit + other),
            'worker = { %s type = "worker"; command = "%s"; ready = "notify"; %s };' % (
                at["worker"], os.path.join(EXAMPLES, "worker-http"), two + limit + other),
            'builtin = { %s builtin = "echo"; %s };' % (at["builtin"], two + limit),
            'redirect = { %s to = "127.0.0.1:%d"; %s };' % (at["redirect"], self.ports["exec"], two + limit),
            'daemon = { command = "/bin/sleep 100000"; };']
        services += ['rest%d = { address = "unix:@%s-%d"; command = "/bin/cat"; };' % (
            n, self.fdsup.directory, n) for n in range(self.n_services)]
        self.fdsup.write("\n".join(services))

    def start(self):
        self.fdsup.start()
        for name in self.ports:
            self.fdsup.wait_state(name, "UP")

    def begin(self, kind):
        """The process that gives the order, and ends when it has been done."""
        if kind == "reload":
            self.write()
        words = {"nothing": "status"}.get(kind, kind)
        return subprocess.Popen([os.path.join(BIN, "fdsupctl"), "-s", self.fdsup.socket_path, words],
                                stdout=subprocess.DEVNULL)


class Asker:
    """Asks the supervisor again and again, on one connection, and notes when it asked and was answered."""

    def __init__(self, path):
        self.process = subprocess.Popen([sys.executable, "-B", __file__, "--ask", path], stdout=subprocess.PIPE)

    def end(self):
        self.process.terminate()
        output = self.process.communicate()[0]
        return [struct.unpack_from("=dd", output, at) for at in range(0, len(output) - 15, 16)]


def ask(path):
    is_over = []
    signal.signal(signal.SIGTERM, lambda *unused: is_over.append(True))
    times, parent = [], os.getppid()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        while not is_over and os.getppid() == parent:
            asked = time.monotonic()
            s.sendall(QUESTION)
            answer = b""
            while not answer.endswith(b"\0"):
                piece = s.recv(65536)
                if not piece:
                    sys.exit("fdsup has hung up")
                answer += piece
            times.append(struct.pack("=dd", asked, time.monotonic()))
            time.sleep(0.0002)
    sys.stdout.buffer.write(b"".join(times))


# ---- gaps

def longest(waits, start, end):
    """Of [(came, served)] in the order of coming: the longest time in which one waited and nobody was served."""
    last = found = 0
    for came, served in waits:
        if start <= served and came < end:
            found = max(found, served - max(came, last))
        last = max(last, served)
    return found * 1000


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def show(name, values):
    return "%s %6.2f %6.2f %6.2f" % (name, share(values, .5), share(values, .99), max(values))


def measure_gaps(rig, options):
    steady = subprocess.Popen([rig.programs["steady"], str(rig.ports["probe"]), str(options.microseconds)],
                              stdout=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(steady.stdout))
    reader.start()
    asker = Asker(rig.fdsup.socket_path)
    windows = {kind: [] for kind in (*KINDS, "rolling")}
    try:
        time.sleep(options.period)
        for _ in range(options.rounds):
            for kind in random.sample(KINDS, len(KINDS)):
                is_first, start = True, time.monotonic()
                order = rig.begin(kind)
                while is_first or order.poll() is None:
                    time.sleep(options.period)
                    now = time.monotonic()
                    windows[kind if is_first or kind != "reload" else "rolling"].append((start, now))
                    is_first, start = False, now
                if order.returncode and kind != "nothing":
                    sys.exit("fdsupctl %s: %d\n%s" % (kind, order.returncode, rig.fdsup.last_lines()))
    finally:
        asked = asker.end()
        steady.terminate()
        reader.join()
        steady.wait()
    visits = [tuple(int(n) / 1e9 for n in line.split()) for line in lines]
    served = [v for v in visits if v[2]]
    print("%d clients, %d not served; %d rounds; milliseconds: half of the times, 99 %%, all are below" % (
        len(visits), len(visits) - len(served), options.rounds))
    for kind in filter(windows.get, windows):
        accepting, answering, admin = [], [], []
        for start, end in windows[kind]:
            near = [v for v in served if start - 2 < v[0] < end]   # and some before, for the last of them
            accepting.append(longest([v[:2] for v in near], start, end))
            answering.append(longest([(v[0], v[2]) for v in near], start, end))
            admin.append(longest([a for a in asked if start - 2 < a[0] < end], start, end))
        print("%-8s %s %s %s" % (kind, show("accepting", accepting), show(" answering", answering),
                               show(" admin", admin)), flush=True)


# ---- replacing

def events(fdsup):
    s = socket.socket(socket.AF_UNIX)
    s.connect(fdsup.socket_path)
    s.sendall(json.dumps({"method": "org.fdsup.Events", "more": True}).encode() + b"\0")
    return s


def read_event(s, rest):
    while b"\0" not in rest:
        rest += s.recv(65536)
    message, _, tail = bytes(rest).partition(b"\0")
    rest[:] = tail
    return json.loads(message)["parameters"]["event"]


def bare_spawn():
    start = time.monotonic()
    pid = os.posix_spawn("/bin/true", ["/bin/true"], {})
    os.waitpid(pid, 0)
    return (time.monotonic() - start) * 1000


def kill_worker(rig, name, s, rest):
    """How long it takes until the next one is ready."""
    def ready():
        return [w["pid"] for w in rig.fdsup.workers(name) if w["state"] == "READY"]
    pids = wait_until("two workers", lambda: ready() if len(ready()) == 2 else None)
    first_answer(rig.ports[name], b"GET / HTTP/1.0\r\n\r\n")    # who did nothing yet is not replaced at once
    word = "ready" if name == "worker" else "started"   # the others are with exec
    pattern = re.compile(r"worker (\d+) %s$" % word)
    start = time.monotonic()
    os.kill(random.choice(pids), signal.SIGKILL)
    while True:
        event = read_event(s, rest)
        found = event["service"] == name and pattern.match(event["text"])
        if found and int(found[1]) not in pids:
            return (time.monotonic() - start) * 1000


def first_answer(port, words=b"x"):
    """How long a client waits that comes now."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(words)
        s.recv(1)
    return (time.monotonic() - start) * 1000


def kill_acceptor(rig):
    os.kill(rig.fdsup.acceptor_pid(), signal.SIGKILL)
    return first_answer(rig.ports["builtin"])


def measure_replacing(rig, n_kills):
    found = {name: [] for name in ("fork, exec and end of another program", *KILLED, "acceptor",
                                   "no acceptor killed")}
    s, rest = events(rig.fdsup), bytearray()
    for _ in range(n_kills):
        for name in random.sample(list(found), len(found)):
            if name == "acceptor":
                took = kill_acceptor(rig)
            elif name in KILLED:
                took = kill_worker(rig, name, s, rest)
            elif name == "no acceptor killed":
                took = first_answer(rig.ports["builtin"])
            else:
                took = bare_spawn()
            found[name].append(took)
            time.sleep(0.02)
    s.close()
    print("%d kills of each; milliseconds: half, 99 %%, all are below (of the acceptor: until a client that "
          "came at once was answered)" % n_kills)
    for name, values in found.items():
        print(show("%-37s" % name, values))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100, help="of each type")
    parser.add_argument("--microseconds", type=int, default=500, help="between two clients")
    parser.add_argument("--period", type=float, default=0.15, help="seconds for each thing that is done")
    parser.add_argument("--services", type=int, default=20, help="more services, at rest")
    parser.add_argument("--ask", metavar="SOCKET", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse()
    if options.ask:
        ask(options.ask)
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        rig = Rig(build(directory), options.services)
        try:
            rig.start()
            if options.rounds:
                measure_gaps(rig, options)
            if options.kills:
                measure_replacing(rig, options.kills)
            rig.fdsup.stop()
        finally:
            rig.fdsup.close()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Type worker beside programs that accept for themselves, and what its ledger and its log cost.

Two long-lived workers answer a tiny request, a new connection each: as fdsup's workers, with everything
that is the default, without END lines, with the kernel's notices at any rate, and without the kernel's ledger
(which leaves no END lines either, for these workers report nothing); and as a program that accepts for
itself. Slices of load alternate between them in a new random order in every round, and ratios are taken
inside a round. Each server has its own network namespace, so that nobody pays for the notices that the
kernel writes for another.

The scheduler decides much here. Where each session has its share of the processors
(kernel.sched_autogroup_enabled), the program that accepts for itself shares one with its clients, which
fdsup's workers do not; beside other programs that says more than all else. So nothing else should run. With
--first everything is put into one control group that comes before all others, where there is version 1 of
them ("cpu"): that shows the parts better, but it comes before the threads of the kernel as well, which then
seem to cost nothing.

  workers.py [--first] [--rounds N] [--seconds S] [--clients N,N]

Nothing here is a test: it prints figures and judges none. Needs root, cc, and FDSUP_BIN, the folder of the
programs (a release build).
"""
import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ["FDSUP_BIN"]
PORT = 17000                # each in its own namespace
CGROUP = "/sys/fs/cgroup/cpu/fdsup-bench.%d" % os.getpid()
VARIANTS = {
    "default": ("", ""),
    "no END lines": ("", 'log = [ "refuse" ]; '),
    "notices always": ("max_notices = 0; ", ""),
    "no ledger": ('ledger = "reports"; ', ""),
}
CONFIGURATION = """runtime_dir = "%s/run"; log = { to = "stderr"; }; %s
services = { w = { address = "127.0.0.1"; port = %d; type = "worker"; backlog = 1024; %s
  max_connections = 100000; max_per_source = 100000; rate = "1000000/s"; rate_per_source = "1000000/s";
  workers = { min = 2; max = 2; }; command = [ "%s" ]; }; };
"""


class Server:
    def __init__(self, name, command):
        self.name = name
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"] + command,
                                        stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)

    def inside(self, command):
        return ["nsenter", "-t", str(self.process.pid), "-n"] + command

    def wait(self, load):
        """Until it answers."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.process.poll() is None and self.load(load, 1, 0.05)["ok"]:
                return
            time.sleep(0.05)
        self.output.seek(0)
        raise SystemExit("%s does not answer: %s" % (self.name, self.output.read().decode()[-1000:]))

    def load(self, load, clients, seconds):
        done = subprocess.run(self.inside([load, "-c", str(clients), "-t", str(seconds), "-s", "16", "-e", "3",
                                           "127.0.0.1", str(PORT)]), stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else {"ok": 0}

    def processes(self):
        """The tree below, as it is now."""
        pids = [self.process.pid]
        for pid in pids:
            with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                pids += map(int, f.read().split())
        return pids

    def cpu_us(self):
        """By name; the scheduler's own count."""
        used = {}
        for pid in self.processes():
            with open("/proc/%d/comm" % pid) as name, open("/proc/%d/schedstat" % pid) as time_ns:
                name = name.read().strip()
                used[name] = used.get(name, 0) + int(time_ns.read().split()[0]) / 1000
        return used

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def fdsup(directory, name, variant):
    place = os.path.join(directory, name.replace(" ", "-"))
    os.mkdir(place)
    path = os.path.join(place, "fdsup.conf")
    with open(path, "w") as f:
        f.write(CONFIGURATION % (place, variant[0], PORT, variant[1], os.path.join(directory, "answerer")))
    return Server(name, [os.path.join(BIN, "fdsup"), "-c", path])


def one_slice(server, load, clients, seconds):
    before = server.cpu_us()
    result = server.load(load, clients, seconds)
    after = server.cpu_us()
    result["cpu_us"] = {name: (used - before.get(name, 0)) / max(result["ok"], 1) for name, used in after.items()}
    return result


def measure(servers, load, clients, options):
    rounds = [{s.name: one_slice(s, load, clients, options.seconds) for s in random.sample(servers, len(servers))}
              for _ in range(options.rounds)]
    print("\n%d clients, %d rounds: times the throughput of accepting for oneself, and without the ledger" % (
        clients, options.rounds))
    for server in servers:
        rates = [r[server.name]["per_second"] for r in rounds]
        parts = {name: statistics.median(r[server.name]["cpu_us"].get(name, 0) for r in rounds)
                 for name in rounds[0][server.name]["cpu_us"]}
        print("  %-16s %6.0f/s  %s  %s  CPU us: %s" % (
            server.name, statistics.median(rates), spread(rounds, server.name, "accepts itself"),
            spread(rounds, server.name, "no ledger"), ", ".join("%s %.1f" % p for p in parts.items() if p[1] > 0.05)),
            flush=True)


def spread(rounds, name, other):
    """Median, and what the middle half lies between."""
    ratios = [r[name]["per_second"] / r[other]["per_second"] for r in rounds if r[other]["per_second"]]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return "%.2f (%.2f to %.2f)" % (middle, low, high)


def come_first():
    """False: there is no such control group."""
    try:
        os.mkdir(CGROUP)
        for name, value in (("cpu.shares", "262144"), ("cgroup.procs", str(os.getpid()))):
            with open(os.path.join(CGROUP, name), "w") as f:
                f.write(value)
    except OSError:
        return False
    return True


def leave():
    with open("/sys/fs/cgroup/cpu/cgroup.procs", "w") as f:
        f.write(str(os.getpid()))
    for _ in range(100):
        try:
            os.rmdir(CGROUP)
            return
        except OSError:     # a process that ended is still being taken away
            time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--clients", type=lambda text: [int(word) for word in text.split(",")], default=[16, 64])
    options = parser.parse_args()
    comes_first = options.first and come_first()
    print("in a control group that comes first" if comes_first else "beside whatever else runs")
    servers = []
    try:
        with tempfile.TemporaryDirectory(prefix="fdsup-bench-") as directory:
            os.chmod(directory, 0o755)
            for program in ("answerer", "load"):
                subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", os.path.join(directory, program),
                                os.path.join(HERE, program + ".c")], check=True)
            load = os.path.join(directory, "load")
            try:
                servers.append(Server("accepts itself", [os.path.join(directory, "answerer"), str(PORT), "2"]))
                for name, variant in VARIANTS.items():
                    servers.append(fdsup(directory, name, variant))
                for server in servers:
                    server.wait(load)
                for clients in options.clients:
                    measure(servers, load, clients, options)
            finally:
                for server in servers:
                    server.stop()
    finally:
        if comes_first:
            leave()


main()

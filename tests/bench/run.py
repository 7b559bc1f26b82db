#!/usr/bin/env python3
"""fdsup beside xinetd, in one run: what a connection, a service and a start cost.

Both serve the same command on loopback at the same time, each in a control group of its own; slices
of load alternate between them in a new random order in every round, and ratios are taken inside a
round, because absolute figures of a machine that does other things as well say little. Nothing here
is a test: it prints figures and judges none.

  run.py [--quick] [--log] [--rounds N] [--seconds S] [--json FILE]

Installs xinetd if there is none, builds fdsup (Release), needs root only for control groups: without
them CPU times are sums over /proc, in ticks of 10 ms, and the report says so.
"""
import argparse
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from servers import Fdsup, Xinetd, free_ports, group_kind

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
DEADLINE = 1200             # seconds for everything
FOREIGN_CPU = 0.3           # more than this much of a CPU used by others: the slice is repeated
METRICS = ("per_second", "cpu_us", "p50_us", "p99_us")


def build(directory):
    """fdsup in build/release; the load generator and the tiny service in `directory`."""
    script = ('set -eu; . "$1/cmake/debian-packages.sh"; '
              'packages_need $packages_to_build xinetd:xinetd >&2; '
              'cmake -S "$1" -B "$1/build/release" -G Ninja -DCMAKE_BUILD_TYPE=Release '
              '$([ -e "$1/build/release/CMakeCache.txt" ] || echo -DFDSUP_TESTS=OFF); '
              'cmake --build "$1/build/release"; '
              'cc -std=gnu17 -D_GNU_SOURCE -O2 -o "$2/load" "$1/tests/bench/load.c"; '
              'musl-gcc -std=gnu17 -Os -static -o "$2/tiny" "$1/tests/bench/tiny.c"')
    done = subprocess.run(["bash", "-c", script, "run.py", TOP, directory], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if done.returncode:
        sys.exit(done.stdout[-4000:] + "\nrun.py: the build failed")


def commands(directory):
    """Each command, and how the load generator talks to it."""
    return {
        "tiny": ([os.path.join(directory, "tiny")], ["-e", "3"]),
        "cat": (["/bin/cat"], ["-s", "64", "-w", "-e", "64"]),
    }


# ---- load

def machine_cpu_seconds():
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, softirq = map(int, f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def own_cpu_seconds():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def slice_of_load(directory, server, options, clients, seconds):
    before = server.settled_cpu_seconds()
    machine, own, start = machine_cpu_seconds(), own_cpu_seconds(), time.monotonic()
    done = subprocess.run([os.path.join(directory, "load"), "-c", str(clients), "-t", str(seconds), *options,
                           "127.0.0.1", str(server.ports[0])],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 60)
    result = json.loads(done.stdout)
    cpu = server.settled_cpu_seconds() - before
    elapsed = time.monotonic() - start
    result["cpu_us"] = cpu / result["ok"] * 1e6 if result["ok"] else None
    result["foreign_cpus"] = (machine_cpu_seconds() - machine - (own_cpu_seconds() - own) - cpu) / elapsed
    return result


def measured_slice(*arguments):
    """Once more if other programs took part."""
    result = slice_of_load(*arguments)
    if result["foreign_cpus"] > FOREIGN_CPU:
        result = min(result, slice_of_load(*arguments), key=lambda r: r["foreign_cpus"])
    return result


def load_rounds(directory, options):
    for name, (command, load_options) in commands(directory).items():
        servers = start_all(directory, command, 1, options.log)
        try:
            for clients in options.clients:
                rounds = [one_round(directory, servers, load_options, clients, options.seconds)
                          for _ in range(options.rounds)]
                print_load(name, clients, rounds)
                yield {"command": name, "clients": clients, "rounds": rounds}
        finally:
            for server in servers:
                server.stop()


def one_round(directory, servers, load_options, clients, seconds):
    order = random.sample(servers, len(servers))
    return {s.name: measured_slice(directory, s, load_options, clients, seconds) for s in order}


def print_load(name, clients, rounds):
    def median(server, metric):
        values = [r[server][metric] for r in rounds if r[server][metric] is not None]
        return statistics.median(values) if values else float("nan")

    def ratio(metric):
        values = [r["fdsup"][metric] / r["xinetd"][metric] for r in rounds
                  if r["fdsup"][metric] and r["xinetd"][metric]]
        return statistics.median(values) if values else float("nan")

    print("\n%s, %d client%s" % (name, clients, "" if clients == 1 else "s"))
    print("  %-8s %12s %12s %10s %10s  %s" % ("", "conns/s", "CPU us/conn", "p50 us", "p99 us", "not served"))
    for server in ("fdsup", "xinetd"):
        lost = {k: sum(r[server][k] for r in rounds) for k in ("refused", "reset", "short", "timeout", "failed")}
        print("  %-8s %12.0f %12.0f %10.0f %10.0f  %s" % (
            server, *(median(server, m) for m in METRICS),
            " ".join("%s %d" % (k, n) for k, n in lost.items() if n) or "-"))
    print("  %-8s %12.2f %12.2f %10.2f %10.2f  %s" % (
        "ratio", *map(ratio, METRICS),
        "others used up to %.2f CPUs" % max(r[s]["foreign_cpus"] for r in rounds for s in r)), flush=True)


def start_all(directory, command, n_services, log):
    servers = []
    try:
        for kind in (Fdsup, Xinetd):
            server = kind(directory, TOP, command, free_ports(n_services), log)
            servers.append(server)
            server.start()
            server.wait_answer()
    except BaseException:
        for server in servers:
            server.stop()
        raise
    return servers


# ---- size and start

def scale_rounds(directory, options):
    command = commands(directory)["tiny"][0]
    print("\n%-10s %-8s %16s %16s %22s" % ("services", "", "idle PSS KiB", "after one, KiB", "last answers after ms"))
    for n_services in options.services:
        figures = {"fdsup": [], "xinetd": []}
        for _ in range(options.rounds):
            for kind in random.sample((Fdsup, Xinetd), 2):
                figures[kind.name].append(start_figures(kind, directory, command, n_services, options.log))
        for name, starts in figures.items():
            middle = [statistics.median(s[m] for s in starts) for m in ("idle_kib", "used_kib", "start_ms")]
            print("%-10s %-8s %16.0f %16.0f %22.1f" % (n_services, name, *middle), flush=True)
        yield {"services": n_services, "starts": figures}


def start_figures(kind, directory, command, n_services, log):
    """One start for the time, which needs a connection, and one for the size before any connection."""
    figures = {}
    server = kind(directory, TOP, command, free_ports(n_services), log)
    try:
        start = server.start()
        figures["start_ms"] = (server.wait_answer(server.ports[-1]) - start) * 1000
        time.sleep(0.3)
        figures["used_kib"] = server.pss_kib()
    finally:
        server.stop()
    server = kind(directory, TOP, command, free_ports(n_services), log)
    try:
        server.start()
        server.wait_listening(server.ports[-1])
        time.sleep(0.3)
        figures["idle_kib"] = server.pss_kib()
    finally:
        server.stop()
    return figures


# ---- all of it

def numbers(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--log", action="store_true", help="both log the end of every connection; else neither")
    parser.add_argument("--rounds", type=int, help="5, or 2 with --quick")
    parser.add_argument("--seconds", type=float, help="of load in a slice: 2, or 1 with --quick")
    parser.add_argument("--clients", type=numbers, default=[1, 16, 64])
    parser.add_argument("--services", type=numbers, default=[1, 50, 500])
    parser.add_argument("--json", metavar="FILE", help="every figure of every round")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 2.0)
    return options


def give_up(number, frame):
    raise SystemExit("run.py: ended by signal %d" % number)


def main():
    options = parse()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, give_up)
    directory = tempfile.mkdtemp(prefix="fdsup-bench-")
    os.chmod(directory, 0o755)
    try:
        build(directory)
        signal.alarm(DEADLINE)
        print("fdsup beside xinetd on %d CPUs, Linux %s; %d rounds, slices of %g s; CPU by %s; %s" % (
            os.cpu_count(), os.uname().release, options.rounds, options.seconds, group_kind(),
            "both log connections" if options.log else "neither logs connections"), flush=True)
        records = [*load_rounds(directory, options), *scale_rounds(directory, options)]
        if options.json:
            with open(options.json, "w") as f:
                json.dump(records, f, indent=1)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""kill -9 of a random worker, again and again, under load: how many clients notice.

The real fdsup keeps workers of examples/worker-http, which say what they have taken; clients keep
connecting, and each wants the whole answer to one request. One that was connected and did not get it is
lost. A kill may cost what was in that worker's hands and nothing else: the run fails when more than
one client is lost for a kill, when anybody was refused, or when fdsup leaves something behind. A worker
in one loop holds several clients at a time, more with more of them: eight clients are a load under which
"at most one" is to be expected of four workers, sixty-four are not.

  kill_workers.py [--seconds N] [--per-second N] [--workers N] [--clients N] [--seed N]

Needs FDSUP_BIN, the folder of the programs, whose sibling examples/ holds the worker.
"""
import argparse
import os
import random
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "system"))
from support import BIN, Fdsup, children, free_port  # noqa: E402
from clients import LOST, Clients, http  # noqa: E402

EXPECTED = "killed by SIGKILL after|: LOST id="     # what the log says of every kill


def configuration(port, workers):
    program = os.path.normpath(os.path.join(BIN, os.pardir, "examples", "worker-http"))
    return ('http = { address = "127.0.0.1"; port = %d; type = "worker"; command = [ "%s" ]; ready = "notify";\n'
            ' log = [ ]; workers = { min = %d; max = %d; }; };' % (port, program, workers, workers))


def kill_one(fdsup, chance):
    """Whether there was one to kill."""
    pids = [w["pid"] for w in fdsup.workers("http") if w["pid"]]
    if not pids:
        return False
    try:
        os.kill(chance.choice(pids), signal.SIGKILL)
    except ProcessLookupError:      # the one before has not been noticed yet
        return False
    return True


def kill_for(fdsup, options):
    """Returns how many were killed, and how often nobody was there."""
    chance = random.Random(options.seed)
    start = time.monotonic()
    kills = missed = 0
    for n in range(int(options.seconds * options.per_second)):
        time.sleep(max(0, start + n / options.per_second - time.monotonic()))
        if kill_one(fdsup, chance):
            kills += 1
        else:
            missed += 1
    return kills, missed


def report(clients, service, kills, missed, seconds):
    counts = clients.counts
    lost = sum(counts[kind] for kind in LOST)
    print("%d workers killed in %.1f s (%d times there was none); fdsup counts %d deaths, %d served, %d lost" % (
        kills, seconds, missed, service["deaths"], service["served"], service["lost"]))
    print("clients: %d served (%.0f/s, the slowest in %.0f ms), %d refused, %d not connected, %s" % (
        counts["served"], counts["served"] / seconds, clients.slowest * 1000, counts["refused"],
        counts["not connected"], ", ".join("%d %s" % (counts[kind], kind) for kind in LOST)))
    print("lost: %d, %.3f per kill" % (lost, lost / max(kills, 1)), flush=True)
    return lost


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--per-second", type=float, default=10, help="kills")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8, help="at a time")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    return parser.parse_args()


def main():
    options = parse()
    print("%d workers, %d clients, seed %d" % (options.workers, options.clients, options.seed), flush=True)
    port = free_port()
    fdsup = Fdsup(configuration(port, options.workers), start=False)
    problems = []
    try:
        fdsup.start()
        fdsup.wait_state("http", "UP")
        start = time.monotonic()
        with Clients("http", port, http, options.clients) as clients:
            kills, missed = kill_for(fdsup, options)
        seconds = time.monotonic() - start
        service = fdsup.wait_status("http", lambda s: s["connections"]["used"] == 0, "all ended")
        lost = report(clients, service, kills, missed, seconds)
        if lost > kills:
            problems.append("more were lost than workers killed")
        if clients.counts["refused"] or clients.counts["not connected"]:
            problems.append("not everybody could connect")
        if not clients.counts["served"] or not kills:
            problems.append("nothing happened")
        if fdsup.stop() != 0 or children():
            problems.append("fdsup left something: %r" % children())
        if problems:
            print("\n".join(line for line in fdsup.log().split("\n") if not re.search(EXPECTED, line)))
    finally:
        fdsup.close()
    sys.exit("kill_workers.py: " + "; ".join(problems) if problems else 0)


if __name__ == "__main__":
    main()

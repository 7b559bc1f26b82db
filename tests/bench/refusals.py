#!/usr/bin/env python3
"""Refusing beside accepting and closing, in one run.

The same clients connect by turns to a bare loop of accept(2) and close(2) (bare.c) and to services
of one fdsup that refuse everybody: by address, by the hour, with a text, with a reset, above a limit.
Slices alternate in every round, since absolute figures of a machine that does other things as well
say little; the ratio is the median of those of the rounds. Nothing here is a test: it prints figures.

  refusals.py [--rounds N] [--seconds S] [--clients N] [--build DIRECTORY]

Wants a Release build, by default build/release; builds its own two small programs.
"""
import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

SERVICES = {
    "deny": 'deny = "127.0.0.0/8";',
    "hours": 'hours = "%s";',
    "message": 'deny = "127.0.0.0/8"; refuse_message = "421 not now\\r\\n";',
    "reset": 'deny = "127.0.0.0/8"; overflow = "reset";',
    "limit": 'max_per_source = 1; overflow = "refuse";',
    "silent": 'deny = "127.0.0.0/8"; log = [ "end" ];',
}


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def closed_hours():
    begin = (time.localtime().tm_hour + 12) % 24
    return "%02d:00-%02d:00" % (begin, (begin + 1) % 24)


def cpu_seconds(pid):
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e9


def wait_for(port):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("nobody listens on port %d" % port)


def child_named(parent, name):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                text = f.read()
        except OSError:
            continue
        if "(%s" % name[:15] in text and int(text[text.rindex(")") + 2:].split()[1]) == parent:
            return int(pid)
    sys.exit("no %s" % name)


def slice_of(load, port, pid, arguments):
    before = cpu_seconds(pid)
    done = subprocess.run([load, "-t", str(arguments.seconds), "-c", str(arguments.clients), "-e", "0", "127.0.0.1",
                           str(port)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    n = max(result["ok"] + result.get("reset", 0), 1)
    return n / arguments.seconds, (cpu_seconds(pid) - before) / n * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--build", default=os.path.join(TOP, "build", "release"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        programs = {}
        for name in ("load", "bare"):
            programs[name] = os.path.join(directory, name)
            subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", programs[name],
                            os.path.join(HERE, name + ".c")], check=True)
        ports = dict(zip(["bare", *SERVICES], free_ports(1 + len(SERVICES))))
        path = os.path.join(directory, "fdsup.conf")
        with open(path, "w") as f:
            f.write('runtime_dir = "%s/run"; log = { to = "%s/log"; };\nservices = {\n' % (directory, directory))
            for name, keys in SERVICES.items():
                f.write('%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n'
                        % (name, ports[name], keys.replace("%s", closed_hours())))
            f.write("};\n")
        os.chmod(path, 0o600)
        servers = [subprocess.Popen([programs["bare"], str(ports["bare"])]),
                   subprocess.Popen([os.path.join(arguments.build, "bin", "fdsup"), "-c", path])]
        try:
            for port in ports.values():
                wait_for(port)
            occupied = socket.create_connection(("127.0.0.1", ports["limit"]))
            occupied.sendall(b"x")
            occupied.recv(1)
            pids = dict.fromkeys(SERVICES, child_named(servers[1].pid, "fdsup-acceptor"))
            pids["bare"] = servers[0].pid
            rates = {name: [] for name in ports}
            costs = {name: [] for name in ports}
            ratios = {name: [] for name in ports}
            for _ in range(arguments.rounds):
                order = list(ports)
                random.shuffle(order)
                for name in order:
                    rate, cost = slice_of(programs["load"], ports[name], pids[name], arguments)
                    rates[name].append(rate)
                    costs[name].append(cost)
                for name in ports:
                    ratios[name].append(rates[name][-1] / rates["bare"][-1])
            print("%-10s %12s %12s %10s" % ("", "a second", "of bare", "CPU us"))
            for name in ports:
                print("%-10s %12.0f %11.0f%% %10.2f" % (name, statistics.median(rates[name]),
                                                      100 * statistics.median(ratios[name]), statistics.median(costs[name])))
            occupied.close()
        finally:
            for server in servers:
                server.terminate()
                server.wait()


if __name__ == "__main__":
    main()

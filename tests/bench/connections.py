"""fdsupctl connections with many live connections, and what it costs those who connect meanwhile.

    FDSUP_BIN=build/release/bin python3 tests/bench/connections.py [CONNECTIONS]

Who connects competes for the processors with fdsupctl and fdsup, and with all else on the host. As root the
last measurement leaves that out: client, acceptor and worker run before all others (SCHED_FIFO), so what it
shows beside the listings is how long the acceptor itself does not come to accept. Where there is perf(1),
the acceptor's own turns are measured then: the processor time that it uses from one call of epoll_wait(2) to
the next is what anybody waits for it, whatever a client sees of a busy machine.
"""
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ["FDSUP_BIN"]
PORT = int(os.environ.get("FDSUP_BENCH_PORT", 24100))
RUNS = 10


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def cpu_ms(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def child(pid, name):
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry) as f:
                text = f.read()
        except OSError:     # it has ended
            continue
        if "(%s)" % name in text and int(text.rsplit(")", 1)[1].split()[1]) == pid:
            return int(entry)


def run_first(pids):
    """Before all that is not real-time. False: we may not."""
    try:
        for pid in pids:
            os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    return True


class Prober:
    """Connects, sends a byte and gets it back, again and again."""

    def __init__(self, runs_first=False):
        self.times = []
        self.is_over = False
        self.runs_first = runs_first
        self.thread = threading.Thread(target=self.run)

    def run(self):
        if self.runs_first:
            run_first([threading.get_native_id()])
        while not self.is_over:
            begin = time.perf_counter()
            with socket.create_connection(("127.0.0.1", PORT)) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(b"?")
                s.recv(1)
            self.times.append(time.perf_counter() - begin)
            time.sleep(0.0002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.is_over = True
        self.thread.join()

    def show(self, what):
        print("%-28s %6d connects, median %.2f ms, 99 %% %.2f ms, 99.9 %% %.2f ms, longest %.2f ms" % (
            what, len(self.times), *(percentile(self.times, s) for s in (.5, .99, .999, 1))))


def turns(directory, pid, command):
    """The processor time of each turn of the event loop while the command ran, and how long that was."""
    path = os.path.join(directory, "turns")
    begin = time.monotonic()
    subprocess.run(["perf", "record", "-q", "-o", path, "-e", "{syscalls:sys_enter_epoll_wait,task-clock}:S",
                    "-p", str(pid), "--"] + command,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall = time.monotonic() - begin
    script = subprocess.run(["perf", "script", "-F", "event,period", "-i", path], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True).stdout
    periods = [line.split()[0] for line in script.splitlines() if "task-clock" in line]
    return [int(period) / 1e9 for period in periods[1:]], wall   # the first began before


def show_turns(what, times, wall):
    """A host of virtual machines takes its processors away, too: what is there alone is not ours."""
    print("%-28s %6d turns,    median %.2f ms, 99 %% %.2f ms, longest %.2f ms, over 1 ms: %.1f a second" % (
        what, len(times), *(percentile(times, s) for s in (.5, .99, 1)), sum(t > .001 for t in times) / wall))


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = tempfile.mkdtemp(prefix="fdsup-bench-")
    path = os.path.join(directory, "fdsup.conf")
    with open(path, "w") as f:
        f.write('runtime_dir = "%s/run"; log = { level = "warning"; };\nservices = { e = { address = "127.0.0.1"; port = %d;'
                ' builtin = "echo"; max_connections = 0; workers = { min = 1; max = 1; }; }; };\n'
                % (directory, PORT))
    daemon = subprocess.Popen([os.path.join(BIN, "fdsup"), "-c", path], stderr=subprocess.DEVNULL)
    ctl = [os.path.join(BIN, "fdsupctl"), "-s", os.path.join(directory, "run/admin.sock")]
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        held = []
        for i in range(n):
            s = socket.socket()
            s.bind(("127.0.0.%d" % (2 + i // 10000), 0))
            s.connect(("127.0.0.1", PORT))
            s.sendall(b"?")
            s.recv(1)
            held.append(s)
        with Prober() as alone:
            time.sleep(2)
        times = []
        with Prober() as beside:
            for _ in range(RUNS):
                begin = time.perf_counter()
                output = subprocess.run(ctl + ["connections"], capture_output=True).stdout
                times.append(time.perf_counter() - begin)
                assert output.count(b"\n") > n, output[-500:]
        alone.show("alone")
        beside.show("beside the listings")
        quiet = []
        pids = (daemon.pid, child(daemon.pid, "fdsup-acceptor"))
        before = [cpu_ms(pid) for pid in pids]
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(RUNS):
            begin = time.perf_counter()
            subprocess.run(ctl + ["connections"], stdout=subprocess.DEVNULL)
            quiet.append(time.perf_counter() - begin)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
        print("CPU of a listing: fdsupctl %.1f ms, fdsup %.1f ms, fdsup-acceptor %.1f ms" % (
            used * 1000 / RUNS, *((cpu_ms(pid) - b) / RUNS for pid, b in zip(pids, before))))
        json = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            subprocess.run(ctl + ["--json", "connections"], stdout=subprocess.DEVNULL)
            json.append(time.perf_counter() - begin)
        print("%d connections: listed in %.0f ms (least), %.0f ms (median), %.0f ms with somebody connecting; as JSON %.0f ms" % (
            n, min(quiet) * 1000, percentile(quiet, .5), percentile(times, .5), percentile(json, .5)))
        if run_first((pids[1], child(daemon.pid, "fdsup-builtin"))):
            with Prober(True) as alone:
                time.sleep(2)
            with Prober(True) as beside:
                for _ in range(2 * RUNS):
                    subprocess.run(ctl + ["connections"], stdout=subprocess.DEVNULL)
            alone.show("before all others, alone")
            beside.show("before all others, beside")
            if shutil.which("perf"):
                list_all = " ".join(ctl + ["connections", ">/dev/null"])
                for what, script in (("turns, alone", "sleep 2"),
                                     ("turns, beside listings", "for i in $(seq %d); do %s; done" % (2 * RUNS, list_all))):
                    with Prober(True):
                        show_turns(what, *turns(directory, pids[1], ["sh", "-c", script]))
    finally:
        daemon.terminate()
        daemon.wait()
        subprocess.run(["rm", "-rf", directory])


main()

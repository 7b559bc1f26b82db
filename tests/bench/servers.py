"""The two servers under measurement, and the group of processes that each one is.

A control group (version 2; no controller is needed for cpu.stat) counts the CPU time of commands
that are long gone, and knows all members. Without one, the tree of processes is read from /proc.
"""
import os
import pwd
import random
import resource
import signal
import socket
import subprocess
import tempfile
import time

ANSWER_SECONDS = 30
NOFILE = (1024, 4096)       # what a Debian service finds, but for a hard limit xinetd closes up to


# ---- ports

def listening_ports():
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as f:
                rows = [line.split() for line in f.readlines()[1:]]
        except FileNotFoundError:
            continue
        ports |= {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A"}
    return ports


def free_ports(n):
    """n consecutive ports below the ephemeral ones, on which nobody listens."""
    taken = listening_ports()
    for _ in range(1000):
        first = random.randrange(10000, 32000 - n)
        if not taken.intersection(range(first, first + n)):
            return list(range(first, first + n))
    raise RuntimeError("no %d free ports in a row" % n)


# ---- groups of processes

def cgroup_root():
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(root + "/cgroup.controllers") and os.access(root, os.W_OK):
            return root
    return None


def group_kind():
    return "control group" if cgroup_root() else "sums over /proc (ticks of 10 ms)"


class ControlGroup:
    def __init__(self, name):
        self.path = "%s/fdsup-bench.%d.%s.%08x" % (cgroup_root(), os.getpid(), name, random.getrandbits(32))
        os.mkdir(self.path)

    def join(self):
        """In the child, before exec."""
        with open(self.path + "/cgroup.procs", "w") as f:
            f.write("0")

    def pids(self, daemon):
        with open(self.path + "/cgroup.procs") as f:
            return [int(line) for line in f]

    def cpu_seconds(self, daemon):
        with open(self.path + "/cpu.stat") as f:
            return int(next(line for line in f if line.startswith("usage_usec")).split()[1]) / 1e6

    def close(self):
        for _ in range(200):
            try:
                os.rmdir(self.path)
                return
            except OSError:     # a process that ended is still being taken away
                time.sleep(0.01)


class ProcessTree:
    def __init__(self, name):
        pass

    def join(self):
        pass

    def _stats(self):
        """{pid: (parent, CPU ticks with those of its reaped children)}"""
        stats = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            stats[int(entry)] = int(fields[1]), sum(map(int, fields[11:15]))
        return stats

    def _members(self, daemon, stats):
        members = [daemon] if daemon in stats else []
        for pid in members:     # grows as we go
            members += [child for child, (parent, _) in stats.items() if parent == pid]
        return members

    def pids(self, daemon):
        return self._members(daemon, self._stats())

    def cpu_seconds(self, daemon):
        stats = self._stats()
        return sum(stats[p][1] for p in self._members(daemon, stats)) / os.sysconf("SC_CLK_TCK")

    def close(self):
        pass


# ---- servers

class Server:
    """One daemon with len(ports) services, all of the same command."""
    name = None
    nofile = NOFILE

    def __init__(self, directory, top, command, ports, log):
        self.directory = tempfile.mkdtemp(prefix=self.name + "-", dir=directory)
        os.chmod(self.directory, 0o755)
        self.top, self.command, self.ports, self.log = top, command, ports, log
        self.group = (ControlGroup if cgroup_root() else ProcessTree)(self.name)
        self.process = None

    def arguments(self):
        """Writes the configuration; returns the command line."""
        raise NotImplementedError

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self):
        """Returns the time just before."""
        def prepare():
            self.group.join()
            resource.setrlimit(resource.RLIMIT_NOFILE, self.nofile)

        arguments = self.arguments()
        with open(os.path.join(self.directory, "output"), "wb") as output:
            start = time.monotonic()
            self.process = subprocess.Popen(arguments, cwd=self.directory, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, preexec_fn=prepare)
        return start

    def _wait(self, what, attempt):
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            if attempt():
                return time.monotonic()
            if self.process.poll() is not None:
                break
            time.sleep(0.0005)
        with open(os.path.join(self.directory, "output"), errors="replace") as f:
            raise RuntimeError("%s %s:\n%s" % (self.name, what, f.read()[-2000:]))

    def wait_answer(self, port=None):
        """Returns the time at which the service first answered."""
        def ask():
            try:
                with socket.create_connection(("127.0.0.1", port or self.ports[0]), 5) as s:
                    s.sendall(b"x")
                    s.shutdown(socket.SHUT_WR)
                    return s.recv(16)
            except OSError:
                return None
        return self._wait("does not answer", ask)

    def wait_listening(self, port):
        return self._wait("does not listen", lambda: port in listening_ports())

    def pids(self):
        return self.group.pids(self.process.pid)

    def settled_cpu_seconds(self):
        """Commands may still be ending when their clients have gone."""
        end = time.monotonic() + 2
        last = self.group.cpu_seconds(self.process.pid)
        while time.monotonic() < end:
            time.sleep(0.05)
            now = self.group.cpu_seconds(self.process.pid)
            if now - last < 0.0005:
                return now
            last = now
        return last

    def pss_kib(self):
        total = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/smaps_rollup" % pid) as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            except OSError:     # it has just ended
                continue
        return total

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            # Whoever is left in a control group is ours; without one, commands end with their clients.
            for pid in self.pids() if cgroup_root() else []:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process = None
        self.group.close()


class Fdsup(Server):
    name = "fdsup"

    def arguments(self):
        words = ", ".join('"%s"' % word for word in self.command)
        services = "".join(
            '  s%d = { address = "127.0.0.1"; port = %d; command = [ %s ]; };\n' % (i, port, words)
            for i, port in enumerate(self.ports))
        path = self.write("fdsup.conf", (
            'runtime_dir = "%s/run";\nlog = { to = "%s/fdsup.log"; };\n'
            'defaults = { user = "%s"; max_connections = 0; log = [ %s ]; };\n'
            'services = {\n%s};\n') % (self.directory, self.directory, whoami(), '"end"' if self.log else "",
                                       services))
        return [os.path.join(self.top, "build/release/bin/fdsup"), "-c", path]


class Xinetd(Server):
    name = "xinetd"

    def arguments(self):
        text = ("defaults\n{\n\tinstances = UNLIMITED\n\tper_source = UNLIMITED\n\tcps = 1000000 1\n"
                "\tlog_type = FILE %s/xinetd.log\n%s}\n") % (
                    self.directory, "\tlog_on_success = PID HOST EXIT DURATION\n" if self.log else "")
        for i, port in enumerate(self.ports):
            text += ("service s%d\n{\n\ttype = UNLISTED\n\tdisable = no\n\tbind = 127.0.0.1\n\tport = %d\n"
                     "\tsocket_type = stream\n\tprotocol = tcp\n\twait = no\n\tuser = %s\n\tserver = %s\n%s}\n") % (
                         i, port, whoami(), self.command[0],
                         "\tserver_args = %s\n" % " ".join(self.command[1:]) if self.command[1:] else "")
        return ["/usr/sbin/xinetd", "-dontfork", "-stayalive", "-f", self.write("xinetd.conf", text),
                "-pidfile", os.path.join(self.directory, "xinetd.pid")]


def whoami():
    return pwd.getpwuid(os.geteuid()).pw_name

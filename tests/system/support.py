"""The daemon as an object, for tests of promises.

A test starts the real fdsup with a configuration of its own in a directory of its own, on ports that
the kernel chose, and waits for events: the readiness message, a log line, the end of a connection.
Nothing may be left behind: this process is the subreaper of all it starts, so whatever outlives fdsup
becomes its child, and is found.
"""
import ctypes
import errno
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIN = os.environ["FDSUP_BIN"]
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNET = 0x40000000
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

# How many seconds an event may take. Generous: a machine under load must not fail a test. Nothing
# waits for so long when all is well.
LONG = float(os.environ.get("FDSUP_TEST_PATIENCE", 30))

LOG_LINES_SHOWN = 100

IS_ROOT = os.geteuid() == 0

# Address sanitizers keep what was freed, and end a process that gets no memory.
with open(os.path.join(BIN, "fdsup-acceptor"), "rb") as program:
    IS_SANITIZED = b"__asan_init" in program.read()
needs_root = unittest.skipUnless(IS_ROOT, "needs root")

# The beginning of a program of type worker in Python: take(queue) waits for a connection, and gives its
# record and its descriptor. Not by recv_fds, which in Python 3.11 forgets its flags: it would wait, where
# nothing wakes it, for one that another worker has taken. Where the queue ends, so does the program.
TAKER = r"""
import select, socket, sys
def take(queue, size=200):
    while True:
        select.select([queue], [], [])
        try:
            record, messages, _, _ = queue.recvmsg(size, socket.CMSG_SPACE(4), socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        if not record:
            sys.exit(0)
        return record, int.from_bytes(messages[0][2][:4], sys.byteorder)
"""


def reserve_port(port):
    """
    False if this program, or another test that runs at the same time, has been given it before: a name
    in the abstract namespace, which goes when this process ends. Far up: programs are given low descriptors.
    """
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind("\0fdsup-tests-port-%d" % port)
        except OSError:
            return False
        fcntl.fcntl(name, fcntl.F_DUPFD_CLOEXEC, 200)
        return True


def free_port(host="127.0.0.1"):
    """
    A port that nobody uses now: bound without SO_REUSEADDR, so it is not lingering either. Below those
    that the kernel gives to clients, one of which could have it a moment later. Never given twice.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = int(f.read().split()[0])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as s:
            try:
                s.bind((host, random.randrange(min(10000, end - 1000), end)))
                port = s.getsockname()[1]
                if reserve_port(port):
                    return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def children(pid=None):
    """Processes whose parent is `pid`, as {pid: name}; zombies have the name "<zombie>"."""
    pid = pid or os.getpid()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                text = f.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        if int(parent) == pid:
            found[int(entry)] = "<zombie>" if state == "Z" else name
    return found


def descendants(pid):
    found = {}
    for child, name in children(pid).items():
        found[child] = name
        found.update(descendants(child))
    return found


def zombies(pid):
    return [child for child, name in descendants(pid).items() if name == "<zombie>"]


def is_running(pid):
    """Whether there is such a process; a zombie has ended."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            text = f.read()
    except OSError:
        return False
    return text[text.rindex(")") + 2] != "Z"


def reap_orphans():
    """What a killed fdsup leaves becomes our child and would wait for the next one: ends all of it."""
    def is_over():
        for pid, name in children().items():
            try:
                if name != "<zombie>":
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        return not children()
    wait_until("all that was left has ended", is_over)


def reap_zombies(spared=()):
    """As init does: the kernel tells how a process ended when its new parent has waited for it."""
    for pid, name in children().items():
        if name == "<zombie>" and pid not in spared:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass


def count_descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def run(program, *arguments, prefix=(), environment=None):
    """Runs one of the programs to its end; returns (exit code, output, error output)."""
    done = subprocess.run(
        [*prefix, os.path.join(BIN, program), *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=4 * LONG, env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def as_nobody():
    """The beginning of a command line that goes on as the user nobody."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def with_files(**replaced):
    """The beginning of a command line for which files in /etc are others: group="/path" and so on."""
    command = "".join('mount --bind "%s" /etc/%s && ' % (path, name)
                      for name, path in replaced.items())
    return ["unshare", "--mount", "sh", "-c", command + 'exec "$@"', "sh"]


def wait_until(what, condition, seconds=LONG):
    """Polls a condition that no event announces."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("never happened: " + what)
        time.sleep(0.01)


def enter_own_network():
    """Moves this process and all that it starts into a network namespace of its own. False: it cannot."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    return subprocess.run(["ip", "link", "set", "lo", "up"], stdin=subprocess.DEVNULL,
                          capture_output=True).returncode == 0


class Fdsup:
    """One fdsup. `services` is the text between services = { and };"""

    def __init__(self, services="", top="", start=True, prefix=()):
        self.bin = BIN
        self.directory = tempfile.mkdtemp(prefix="fdsup-test-")
        os.chmod(self.directory, 0o755)
        self.path = os.path.join(self.directory, "fdsup.conf")
        self.runtime_dir = os.path.join(self.directory, "run")
        self.prefix = list(prefix)
        self.lines = []
        self.changed = threading.Condition()
        self.process = None
        self.returncode = None
        self.write(services, top)
        if start:
            self.start()

    # -- configuration

    def write(self, services, top=""):
        with open(self.path + ".new", "w") as f:
            f.write('runtime_dir = "%s";\n%s\nservices = {\n%s\n};\n' % (self.runtime_dir, top, services))
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)

    def script(self, name, text):
        """An executable shell script in the test's directory."""
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return path

    # -- life

    def start(self, arguments=()):
        notify_path = os.path.join(self.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            os.chmod(notify_path, 0o666)
            self.returncode = None
            self.process = subprocess.Popen(
                [*self.prefix, os.path.join(self.bin, "fdsup"), "-c", self.path, *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=dict(os.environ, NOTIFY_SOCKET=notify_path))
            # fdsup waits for no reader: under load, what does not fit would be missing here.
            fcntl.fcntl(self.process.stderr, fcntl.F_SETPIPE_SZ, 1 << 20)
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()
            notify.settimeout(0.2)
            end = time.monotonic() + LONG
            try:
                while True:
                    try:
                        if b"READY=1" in notify.recv(4096):
                            return
                    except socket.timeout:
                        pass
                    if self.process.poll() is not None:
                        self.reader.join(LONG)
                        raise AssertionError("fdsup did not start:\n" + self.log())
                    if time.monotonic() > end:
                        raise AssertionError("fdsup never became ready:\n" + self.log())
            finally:
                os.unlink(notify_path)

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=LONG):
        self.returncode = self.process.wait(seconds)
        self.reader.join(seconds)
        self.process.stderr.close()
        return self.returncode

    def stop(self):
        if self.process and self.returncode is None:
            self.signal(signal.SIGTERM)
            self.wait()
        return self.returncode

    def close(self):
        """Ends fdsup and everything that is left; returns what was left."""
        if self.process and self.returncode is None:
            self.process.kill()
            self.wait()
        left = {}
        end = time.monotonic() + LONG
        while children() and time.monotonic() < end:
            for pid, name in children().items():
                left[pid] = name
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass
        shutil.rmtree(self.directory, ignore_errors=True)
        return left

    # -- log

    def log(self):
        with self.changed:
            return "\n".join(self.lines)

    def last_lines(self):
        return "\n".join(self.log().split("\n")[-LOG_LINES_SHOWN:])

    def wait_log(self, pattern, count=1, seconds=LONG):
        """Waits until `count` log lines match; returns the last match."""
        compiled = re.compile(pattern)
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                matches = [m for m in map(compiled.search, self.lines) if m]
                if len(matches) >= count:
                    return matches[count - 1]
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise AssertionError("no log line (%d of %d) like %r in:\n%s" % (
                        len(matches), count, pattern, "\n".join(self.lines[-LOG_LINES_SHOWN:])))

    # -- admin

    @property
    def socket_path(self):
        return os.path.join(self.runtime_dir, "admin.sock")

    def ctl(self, *arguments, environment=None, prefix=()):
        """Runs fdsupctl; returns (exit code, output, error output)."""
        return run("fdsupctl", "-s", self.socket_path, *arguments, environment=environment,
                   prefix=prefix)

    def order(self, *arguments):
        """An order to fdsupctl that must succeed."""
        code, output, error = self.ctl(*arguments)
        if code != 0:
            raise AssertionError("fdsupctl %s exited %d: %s%s\n%s" % (
                " ".join(arguments), code, output, error, self.log()))
        return output

    def status(self, name=None):
        """The status as JSON: the whole, or of one service."""
        _, output, error = self.ctl("--json", "status", *([name] if name else []))
        try:
            whole = json.loads(output)
        except ValueError:
            raise AssertionError("fdsupctl --json status said: %r %r\n%s" % (output, error, self.log()))
        return next(s for s in whole["services"] if s["name"] == name) if name else whole

    def wait_status(self, name, condition, what="a status", seconds=LONG):
        end = time.monotonic() + seconds
        while True:
            service = self.status(name)
            if condition(service):
                return service
            if time.monotonic() > end:
                raise AssertionError("%s of %s never came: %r\n%s" % (what, name, service, self.last_lines()))
            time.sleep(0.02)

    def wait_state(self, name, *states):
        return self.wait_status(name, lambda s: s["state"] in states, "/".join(states))

    def workers(self, name):
        _, output, _ = self.ctl("--json", "workers", name)
        return json.loads(output)["workers"]

    def worker_pids(self, name):
        return sorted(w["pid"] for w in self.workers(name))

    def listeners(self, name):
        _, output, _ = self.ctl("--json", "listeners", name)
        return json.loads(output)["listeners"]

    def acceptor_pid(self):
        """Of the acceptor that runs: one that has just died is being replaced."""
        return wait_until("an acceptor", lambda: self.status()["daemon"]["acceptors"][0]["pid"])

    def count_log(self, pattern):
        with self.changed:
            return sum(1 for line in self.lines if re.search(pattern, line))


class Load:
    """
    Clients that keep connecting to a service which sends back what it gets, or `answer` (None: anything),
    and count what they see.
    """

    def __init__(self, port, clients=4, host="127.0.0.1", answer=b"?"):
        self.address = (host, port)
        self.answer = answer
        self.served = self.refused = self.lost = 0
        self.changed = threading.Condition()
        self.is_over = False
        self.threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def _client(self):
        while not self.is_over:
            try:
                with socket.create_connection(self.address, LONG) as s:
                    s.sendall(b"?")
                    got = s.recv(64)
                    kind = "served" if got and self.answer in (got, None) else "lost"
            except ConnectionRefusedError:
                kind = "refused"
            except OSError:
                kind = "lost"
            with self.changed:
                setattr(self, kind, getattr(self, kind) + 1)
                self.changed.notify_all()

    def wait_served(self, more):
        """Waits until so many more have been served."""
        with self.changed:
            target = self.served + more
            if not self.changed.wait_for(lambda: self.served >= target, LONG):
                raise AssertionError("clients are no longer served: %d served, %d refused, %d lost" % (
                    self.served, self.refused, self.lost))


class Test(unittest.TestCase):
    """A test case that ends what it started and finds what was left."""

    def setUp(self):
        self.daemons = []
        self.sockets = []

    def fdsup(self, *arguments, **keywords):
        daemon = Fdsup(*arguments, start=False, **keywords)
        self.daemons.append(daemon)
        daemon.start()
        return daemon

    def unstarted(self, *arguments, **keywords):
        daemon = Fdsup(*arguments, start=False, **keywords)
        self.daemons.append(daemon)
        return daemon

    def connect(self, port, host="127.0.0.1", timeout=LONG):
        s = socket.create_connection((host, port), timeout)
        self.sockets.append(s)
        return s

    def talk(self, port, data=b"", host="127.0.0.1", timeout=LONG):
        """Connects, sends, half-closes, and reads to the end."""
        s = self.connect(port, host, timeout)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return self.read_all(s)

    def read_all(self, s):
        answer = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                s.close()
                return answer
            answer += piece

    def tearDown(self):
        for s in self.sockets:
            s.close()
        problems = []
        for daemon in self.daemons:
            try:
                daemon.stop()
            except subprocess.TimeoutExpired:
                problems.append("fdsup did not stop")
                daemon.process.kill()
        left = children()
        if left:
            problems.append("left running: %r" % left)
        for daemon in self.daemons:
            log = daemon.log()
            daemon.close()
            if re.search("AddressSanitizer|LeakSanitizer|runtime error:", log):
                problems.append("a sanitizer spoke")
            if problems or not self._passed():
                lines = log.split("\n")
                print("--- log of %s: the last %d of %d lines" % (
                    self.id(), min(len(lines), LOG_LINES_SHOWN), len(lines)))
                print("\n".join(lines[-LOG_LINES_SHOWN:]))
        self.assertEqual(problems, [])

    def _passed(self):
        outcome = self._outcome
        result = getattr(outcome, "result", None)
        if result is None:
            return True
        return not any(test is self for test, _ in result.failures + result.errors)


def main():
    """The exit status is 77 when all tests were skipped, as CTest is told."""
    result = unittest.main(verbosity=2, exit=False).result
    if result.wasSuccessful() and result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)

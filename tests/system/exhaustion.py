"""Out of descriptors, processes or memory: what is short makes clients wait, is said once, costs no CPU,
and when there is enough again everything goes on by itself."""
import os
import re
import resource
import subprocess
import time
import unittest

from support import (IS_ROOT, IS_SANITIZED, Test, as_nobody, children, count_descriptors, free_port, main, needs_root,
                     run)

SHORT_S = 1.5 # how long something is short: more than the second that an acceptor rests


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def address_space(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[0]) * resource.getpagesize()


NAMES = {resource.RLIMIT_NOFILE: "nofile", resource.RLIMIT_NPROC: "nproc", resource.RLIMIT_AS: "as"}


def set_soft_limit(pid, kind, limit):
    """As the user of the process: without CAP_SYS_RESOURCE even root may not limit those of others."""
    with open("/proc/%d/status" % pid) as f:
        status = f.read()
    uid, gid = (re.search(r"^%s:\s+(\d+)" % name, status, re.M)[1] for name in ("Uid", "Gid"))
    user = ["setpriv", "--reuid=" + uid, "--regid=" + gid, "--clear-groups"] if IS_ROOT and uid != "0" else []
    subprocess.run([*user, "prlimit", "--pid", str(pid), "--%s=%s:" % (NAMES[kind], limit)], check=True)


def soft_limit(pid, kind):
    with open("/proc/%d/limits" % pid) as f:
        line = next(line for line in f if line.startswith({
            "nofile": "Max open files", "nproc": "Max processes", "as": "Max address space"}[NAMES[kind]]))
    return line[26:].split()[0]


class Exhaustion(Test):
    SERVICES = ('c = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; idle_timeout = "1h"; workers = { max = 1; }; %s };\n'
                'e = { address = "127.0.0.1"; port = %d; builtin = "echo"; idle_timeout = "1h"; max_connections = 0; };\n'
                'd = { command = "/bin/sleep 1000"; restart_delay = "50ms"; restart_delay_max = "100ms"; };\n')

    def serve(self, keys="", **keywords):
        self.ports = free_port(), free_port()
        fdsup = self.unstarted(self.SERVICES % (self.ports[0], keys, self.ports[1]), **keywords)
        os.chmod(fdsup.directory, 0o777)
        fdsup.start()
        fdsup.wait_state("d", "UP")
        for port in self.ports:
            self.assertEqual(self.talk(port, b"x"), b"x")
        return fdsup

    def process(self, fdsup, name):
        return fdsup.pid if name == "fdsup" else next(
            pid for pid, own in children(fdsup.pid).items() if own == name)

    def spent(self, pids):
        total = 0
        for pid in pids:
            try:
                total += cpu(pid)
            except (FileNotFoundError, ProcessLookupError): # it has just ended
                pass
        return total

    def squeeze(self, fdsup, name, kind, limit, clients=20, ports=None):
        """One of the processes has no more than that while clients come and a daemon dies; then it has again."""
        pid = self.process(fdsup, name)
        before = soft_limit(pid, kind)
        pids = [fdsup.pid, *children(fdsup.pid)]
        n_lines = len(fdsup.lines)
        set_soft_limit(pid, kind, limit)
        waiting = []
        for i in range(clients):
            s = self.connect((ports or self.ports)[i % len(ports or self.ports)])
            s.sendall(b"hello")
            waiting.append(s)
        for child, own in children(fdsup.pid).items():
            if own == "sleep":
                os.kill(child, 9)
        begin, spent = time.monotonic(), self.spent(pids)
        time.sleep(SHORT_S) # that it goes on being short is what is tested
        share = (self.spent(pids) - spent) / (time.monotonic() - begin)
        set_soft_limit(pid, kind, before)
        n_said = len([line for line in fdsup.lines[n_lines:] if " END " not in line])
        for i, s in enumerate(waiting):
            self.assertEqual(s.recv(5), b"hello", (name, i))
            s.close()
        for port in self.ports:
            self.assertEqual(self.talk(port, b"x"), b"x", name)
        fdsup.wait_state("d", "UP")
        self.assertLess(share, 0.5, name)
        self.assertLess(n_said, 40, name)
        self.assertEqual([fdsup.status(s)["lost"] for s in "ce"], [0, 0], name)

    def test_no_descriptor_is_free(self):
        fdsup = self.serve()
        for name in ("fdsup-acceptor", "fdsup-worker", "fdsup-builtin", "fdsup"):
            self.squeeze(fdsup, name, resource.RLIMIT_NOFILE, count_descriptors(self.process(fdsup, name)))
        self.assertEqual(fdsup.status()["daemon"]["acceptors"][0]["restarts"], 0)

    def test_one_or_two_descriptors_are_free(self):
        fdsup = self.serve()
        for free in (1, 2):
            for name in ("fdsup-acceptor", "fdsup-worker", "fdsup-builtin", "fdsup"):
                self.squeeze(fdsup, name, resource.RLIMIT_NOFILE, count_descriptors(self.process(fdsup, name)) + free)

    def test_a_low_limit_from_the_start(self):
        """Connections that have a descriptor stay; the others come when these go."""
        ports = self.ports = free_port(), free_port()
        fdsup = self.fdsup(self.SERVICES % (ports[0], "", ports[1]), prefix=["prlimit", "--nofile=80:80"])
        clients = [self.connect(ports[1]) for _ in range(200)]
        for s in clients:
            s.sendall(b"x")
        served = 0
        for s in clients: # in their order, each makes room for others
            self.assertEqual(s.recv(1), b"x")
            s.close()
            served += 1
        self.assertEqual(served, 200)
        self.assertEqual(self.talk(ports[0], b"x"), b"x")

    @needs_root
    def test_no_process_may_be_started(self):
        fdsup = self.serve('user = "nobody";')
        self.squeeze(fdsup, "fdsup-worker", resource.RLIMIT_NPROC, 0)

    @needs_root
    def test_an_ordinary_user_may_start_no_process(self):
        """All of fdsup belongs to somebody who has as many processes as he may."""
        fdsup = self.serve(prefix=as_nobody())
        for name in ("fdsup", "fdsup-worker"):
            self.squeeze(fdsup, name, resource.RLIMIT_NPROC, 0)

    @unittest.skipIf(IS_SANITIZED, "sanitizers end a process that gets no memory")
    def test_no_memory_is_free(self):
        """Commands inherit the limit of fdsup-worker: what it does without memory, an injected ENOMEM shows."""
        fdsup = self.serve()
        for name in ("fdsup-acceptor", "fdsup-builtin", "fdsup"):
            self.squeeze(fdsup, name, resource.RLIMIT_AS, address_space(self.process(fdsup, name)), 900,
                         self.ports[1:])

    @unittest.skipIf(IS_SANITIZED, "sanitizers end a process that gets no memory")
    def test_too_little_memory_from_the_start_names_the_limit(self):
        fdsup = self.unstarted(self.SERVICES % (free_port(), "", free_port()))
        code, _, error = run("fdsup", "-c", fdsup.path, prefix=["prlimit", "--as=%d" % (20 << 20)])
        self.assertEqual(code, 1)
        self.assertIn("Cannot allocate memory (RLIMIT_AS is 20.0M: raise it (ulimit -v, LimitAS))", error)


if __name__ == "__main__":
    main()

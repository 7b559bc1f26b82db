"""Out of everything: what one process lacks delays what needs it, the rest is served, and all recovers."""
import os
import resource
import shutil
import signal
import subprocess
import sys
import unittest

from support import (IS_ROOT, IS_SANITIZED, LONG, Load, Test, count_descriptors, free_port, is_running, main, needs_root,
                     wait_until)

USER = 54321  # nobody else runs as this one, so that its processes can be counted

CLOCK = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long jump(void)
{
	char text[32] = "";
	int fd = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, sizeof text - 1) < 0)
			text[0] = 0;
		close(fd);
	}
	return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int r = (int)syscall(SYS_clock_gettime, clock, now);
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		now->tv_sec += jump();
	return r;
}
time_t time(time_t *ret)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec exact;
	clock_gettime(CLOCK_REALTIME, &exact);
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return zone ? 0 : 0;
}
'''


def set_limit(pid, name, soft):
    """Sets a soft limit ("nofile", "nproc", "as") of a process, as its own user; returns the one it had."""
    numbers = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC, "as": resource.RLIMIT_AS}
    with open("/proc/%d/status" % pid) as f:
        ids = {line.split()[0]: line.split()[1] for line in f if line[:4] in ("Uid:", "Gid:")}
    program = ("import resource, sys; pid, what, soft = map(int, sys.argv[1:]);"
               "before = resource.prlimit(pid, what); resource.prlimit(pid, what, (soft, before[1]));"
               "print(before[0])")
    user = ["setpriv", "--reuid=" + ids["Uid:"], "--regid=" + ids["Gid:"], "--clear-groups"] if IS_ROOT else []
    done = subprocess.run([*user, sys.executable, "-c", program, str(pid), str(numbers[name]), str(soft)],
                          stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def address_space(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[0]) * resource.getpagesize()


class Shortage(Test):
    def services(self, *names, keys=""):
        """Services that send back what they get, and the ports of them."""
        ports = [free_port() for _ in names]
        kinds = {"exec": 'command = "/bin/cat";', "builtin": 'builtin = "echo";'}
        return "\n".join('%s = { address = "127.0.0.1"; port = %d; %s %s };' % (
            name, port, kinds[name.rstrip("0123456789")], keys) for name, port in zip(names, ports)), ports

    def in_background(self, port):
        """A client that has sent its byte and waits for the answer."""
        s = self.connect(port)
        s.sendall(b"x")
        return s

    def test_a_supervisor_without_a_free_descriptor(self):
        text, (running, resting) = self.services("builtin1", "exec2")
        fdsup = self.fdsup(text)
        with Load(running) as load:
            load.wait_served(20)
            before = set_limit(fdsup.pid, "nofile", count_descriptors(fdsup.pid))
            waiting = self.in_background(resting)
            for pid in fdsup_workers(fdsup.pid, "fdsup-builtin"):
                os.kill(pid, signal.SIGKILL)      # its successor needs descriptors as well
            fdsup.signal(signal.SIGHUP)           # and so does a reload
            fdsup.wait_log("Too many open files")
            set_limit(fdsup.pid, "nofile", before)
            self.assertEqual(waiting.recv(1), b"x")
            load.wait_served(20)
        self.assertEqual(load.refused, 0)
        self.assertLessEqual(load.lost, 4)        # those in the hands of the killed one
        fdsup.order("reload")

    @needs_root
    def test_no_more_processes_for_a_user(self):
        text, (running, commands) = self.services("builtin1", "exec2")
        fdsup = self.unstarted(text, prefix=["setpriv", "--reuid=%d" % USER, "--regid=%d" % USER, "--clear-groups"])
        os.chown(fdsup.directory, USER, USER)
        fdsup.start()
        self.assertEqual(self.talk(commands, b"x"), b"x")
        with Load(running) as load:
            load.wait_served(20)
            held = self.in_background(commands)
            self.assertEqual(held.recv(1), b"x")
            limited = [fdsup.pid] + fdsup_workers(fdsup.pid, "fdsup-worker")
            before = [set_limit(pid, "nproc", 1) for pid in limited]
            waiting = self.in_background(commands)
            load.wait_served(50)
            fdsup.wait_log("Resource temporarily unavailable")
            for pid, limits in zip(limited, before):
                set_limit(pid, "nproc", limits)
            # Who could not be served meanwhile may have been closed; the next one is served.
            waiting.settimeout(LONG)
            waiting.shutdown(1)
            self.assertIn(self.read_all(waiting), (b"x", b""))
            wait_until("commands are started again", lambda: self.talk(commands, b"y") == b"y")
            held.sendall(b"z")
            self.assertEqual(held.recv(1), b"z")
            load.wait_served(20)
        self.assertEqual((load.refused, load.lost), (0, 0))

    def check_without_memory(self, fdsup, pids, running, other):
        """The processes get no more memory; those that need none go on, and later all do."""
        before = [(pid, set_limit(pid, "as", address_space(pid))) for pid in pids]
        with Load(other) as load:
            load.wait_served(50)
            fdsup.signal(signal.SIGHUP)
            load.wait_served(50)
        self.assertEqual((load.refused, load.lost), (0, 0))
        for pid, limits in before:
            if is_running(pid): # else it has been replaced
                set_limit(pid, "as", limits)
        wait_until("all are served", lambda: self.talk(running, b"x") == b"x")
        self.assertEqual(self.talk(other, b"x"), b"x")

    @unittest.skipIf("asan" in os.environ.get("FDSUP_BIN", ""), "the address sanitizer needs address space")
    def test_without_memory_for_the_supervisor_the_acceptor_or_a_worker(self):
        text, (running, other) = self.services("exec1", "builtin2", keys="idle_timeout = \"1h\"; max_connections = 0;")
        fdsup = self.fdsup(text)
        for port in (running, other):
            self.assertEqual(self.talk(port, b"x"), b"x")
        with Load(other, clients=8) as load:      # what the acceptor ever needs, it has now
            load.wait_served(200)
        for pids in ([fdsup.pid], [fdsup.acceptor_pid()], fdsup_workers(fdsup.pid, "fdsup-worker")):
            self.check_without_memory(fdsup, pids, running, other)
        fdsup.order("reload")

    def test_one_that_writes_without_end_to_its_log(self):
        """200 MB of lines to standard error, and as much without a newline; less with sanitizers, which are slow."""
        size = 20000000 if IS_SANITIZED else 200000000
        text, (other,) = self.services("builtin1")
        fdsup = self.fdsup(text + '\nlines = { command = [ "/bin/sh", "-c", "yes talk | head -c %d >&2;'
                           ' echo over; exec sleep 1000" ]; };'
                           '\nbytes = { command = [ "/bin/sh", "-c", "head -c %d /dev/zero | tr \'\\\\0\' x >&2;'
                           ' echo; echo over; exec sleep 1000" ]; };' % (size, size))
        with Load(other) as load:
            load.wait_served(100)
            for name in ("lines", "bytes"):
                fdsup.wait_status(name, lambda s: "over" in s["last_words"], "its end", 4 * LONG)
            load.wait_served(20)
        self.assertEqual((load.refused, load.lost), (0, 0))

    def test_a_suspended_worker_is_replaced_or_gets_company(self):
        text, (other, port) = self.services("builtin1", "exec2", keys="workers = { min = 1; max = 3; };")
        fdsup = self.fdsup(text.replace("workers = { min = 1; max = 3; }; };\nexec", "};\nexec"))
        wait_until("a worker", lambda: fdsup_workers(fdsup.pid, "fdsup-worker"))
        suspended = fdsup_workers(fdsup.pid, "fdsup-worker")[0]
        os.kill(suspended, signal.SIGSTOP)
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(self.talk(other, b"x"), b"x")
        fdsup.stop()                              # and it is ended though it is suspended

    @unittest.skipUnless(shutil.which("cc"), "needs a compiler")
    def test_the_clock_jumps_a_day_forward_and_back(self):
        text, (port,) = self.services("exec1")
        fdsup = self.unstarted(text + 'd = { command = "/bin/sleep 1000"; };'
                               'f = { command = "/bin/false"; restart_delay = "1h"; restart_delay_max = "1h"; };')
        source, library, clock = (os.path.join(fdsup.directory, name) for name in ("clock.c", "clock.so", "clock"))
        with open(source, "w") as f:
            f.write(CLOCK)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        fdsup.prefix = ["env", "LD_PRELOAD=" + library, "TEST_CLOCK=" + clock, "ASAN_OPTIONS=" + options]
        fdsup.start()
        fdsup.wait_state("d", "UP")
        fdsup.wait_state("f", "BACKOFF")
        pids, running = fdsup.worker_pids("d"), self.in_background(port)
        self.assertEqual(running.recv(1), b"x")
        for jump in (86400, -86400, 0):
            with open(clock, "w") as f:
                f.write("%d" % jump)
            self.assertEqual(self.talk(port, b"x"), b"x")
            running.sendall(b"y")
            self.assertEqual(running.recv(1), b"y")
            whole = fdsup.status()
            self.assertLess(whole["daemon"]["uptime_ms"], 3600000)
            failed = fdsup.status("f")
            self.assertEqual((failed["state"], failed["deaths"]), ("BACKOFF", 1))
            self.assertLess(failed["next_try_ms"], 3600000 * 2)
            self.assertEqual(fdsup.worker_pids("d"), pids)
            fdsup.order("restart", "d")
            pids = fdsup.worker_pids("d")
        self.assertRegex(fdsup.log(), r"END .* duration=0\.\d+s")
        # The stamps of the log say that the clock did jump.
        days = {line[:10] for line in fdsup.log().split("\n")}
        self.assertGreaterEqual(len(days), 2, fdsup.log())


def fdsup_workers(pid, name):
    """Children of fdsup by the name of their program."""
    found = []
    for child in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % child) as f:
                text = f.read()
        except (OSError, ValueError):
            continue
        if child.isdigit() and int(text[text.rindex(")") + 2:].split()[1]) == pid and \
                text[text.index("(") + 1:text.rindex(")")] == name[:15]:
            found.append(int(child))
    return sorted(found)


if __name__ == "__main__":
    main()

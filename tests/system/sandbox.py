"""What the processes that strangers reach have given up, and that fdsupctl says so."""
import os
import re
import signal

from support import Test, children, free_port, main, needs_root, wait_until


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def descriptors_of(pid):
    folder = "/proc/%d/fd" % pid
    return sorted(re.sub(r"[0-9]+", "N", os.readlink(os.path.join(folder, fd))) for fd in os.listdir(folder))


class Sandbox(Test):
    def serve(self, keys='command = "/bin/cat";'):
        port = free_port()
        return self.fdsup('s = { address = "127.0.0.1"; port = %d; %s };' % (port, keys)), port

    def acceptor(self, fdsup):
        return wait_until("an acceptor that is ready", lambda: next(
            (a for a in fdsup.status()["daemon"]["acceptors"] if a["sandbox"] is not None), None))

    def test_the_acceptor_says_what_it_has_given_up_and_the_kernel_agrees(self):
        fdsup, port = self.serve()
        acceptor = self.acceptor(fdsup)
        kernel = status_of(acceptor["pid"])
        parts = acceptor["sandbox"].split(", ")
        self.assertIn("no capabilities", parts)
        self.assertIn("no new privileges", parts)
        self.assertEqual(kernel["NoNewPrivs"], "1")
        self.assertEqual("seccomp" in parts, kernel["Seccomp"] == "2")
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(kernel[name], 16), 0, name)
        if os.geteuid() == 0:
            self.assertEqual(int(kernel["CapBnd"], 16), 0)
        _, output, _ = fdsup.ctl("-v", "status")
        self.assertIn("    sandbox: %s" % acceptor["sandbox"], output)
        if acceptor["sandbox_missing"]:
            self.assertIn("; missing: %s" % acceptor["sandbox_missing"], output)
            fdsup.wait_log("acceptor 1: its sandbox is without ")
        self.assertEqual(self.talk(port, b"hello"), b"hello")

    def test_what_is_missing_is_said_once_and_service_goes_on(self):
        fdsup, port = self.serve()
        if not self.acceptor(fdsup)["sandbox_missing"]:
            self.skipTest("this kernel lacks nothing")
        os.kill(self.acceptor(fdsup)["pid"], signal.SIGKILL)
        self.assertEqual(self.talk(port, b"hello"), b"hello")
        self.acceptor(fdsup)
        self.assertEqual(fdsup.count_log("its sandbox is without "), 1)

    def test_it_is_handed_nothing_that_it_does_not_need(self):
        fdsup, port = self.serve()
        pid = self.acceptor(fdsup)["pid"]
        self.assertEqual(self.talk(port, b"hello"), b"hello")
        found = descriptors_of(pid)
        allowed = {"/dev/null", "pipe:[N]", "socket:[N]", "anon_inode:[eventpoll]", "anon_inode:[timerfd]",
                   "anon_inode:[eventfd]", "anon_inode:[pidfd]",
                   "/proc/N/net/snmp"}     # the kernel's counters of its network, to be read
        self.assertEqual(set(found) - allowed, set(), found)
        with open("/proc/%d/environ" % pid, "rb") as f:
            self.assertEqual([v for v in f.read().split(b"\0") if v and not v.startswith((b"LD_PRELOAD=", b"FDSUP_INSTANCE="))], [])
        self.assertEqual(os.readlink("/proc/%d/cwd" % pid), "/")

    @needs_root
    def test_an_acceptor_that_is_killed_for_a_call_is_replaced_and_told(self):
        fdsup, port = self.serve()
        pid = self.acceptor(fdsup)["pid"]
        os.kill(pid, signal.SIGSYS)
        fdsup.wait_log("acceptor .*SYS.*replaced")
        fdsup.wait_log("made a system call that it never makes")
        self.assertEqual(self.talk(port, b"hello"), b"hello")
        self.assertNotEqual(fdsup.acceptor_pid(), pid)

    def test_those_that_serve_themselves_are_confined_as_well(self):
        port, target = free_port(), free_port()
        fdsup = self.fdsup("""
            echo = { address = "127.0.0.1"; port = %d; type = "builtin"; builtin = "echo"; };
            there = { address = "127.0.0.1"; port = %d; type = "redirect"; to = "localhost:%d"; };
            """ % (target, port, target))
        self.assertEqual(self.talk(port, b"around the corner"), b"around the corner")
        pids = [pid for pid, name in children(fdsup.pid).items() if name in ("fdsup-builtin", "fdsup-redirect")]
        self.assertEqual(len(pids), 2)
        for pid in pids:
            kernel = status_of(pid)
            self.assertEqual((kernel["NoNewPrivs"], int(kernel["CapEff"], 16)), ("1", 0))
            self.assertEqual(kernel["Seccomp"], status_of(self.acceptor(fdsup)["pid"])["Seccomp"])


if __name__ == "__main__":
    main()

"""ready = "fd": a newline on an inherited descriptor, for each type of program that stays."""
import os
import socket
import threading

from support import TAKER, Test, free_port, main, wait_until

# Waits for the file ".go" beside it, if `waits`; then says that it is ready as its words tell it to.
PROGRAM = r'''
import os, select, socket, sys, time
fd = int(os.environ["FDSUP_READY_FD"])
found = sorted(int(n) for n in os.listdir("/proc/self/fd"))
found = [n for n in found if os.path.exists("/proc/self/fd/%%d" %% n)]
with open(sys.argv[0] + ".new", "w") as f:
    f.write("%%s %%d %%r %%s" %% (os.readlink("/proc/self/fd/%%d" %% fd), fd, found, os.environ.get("NOTIFY_SOCKET")))
os.rename(sys.argv[0] + ".new", sys.argv[0] + ".found")
def go():
    while not os.path.exists(sys.argv[0] + ".go"):
        time.sleep(.005)
%s
'''
READY = 'go(); os.write(fd, b"read"); os.write(fd, b"y\\n"); os.close(fd)\n'
STAY = "time.sleep(1000)\n"


def open_files(pid):
    folder = "/proc/%d/fd" % pid
    return {os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)}


class Ready(Test):
    def program(self, keys, text):
        fdsup = self.unstarted("")
        self.path = os.path.join(fdsup.directory, "program.py")
        with open(self.path, "w") as f:
            f.write(PROGRAM % text)
        self.keys = ' ready = "fd"; command = [ "/usr/bin/env", "python3", "-B", "%s" ]; %s' % (self.path, keys)
        fdsup.write("s = { %s };" % self.keys)
        fdsup.start()
        return fdsup

    def go(self):
        open(self.path + ".go", "w").close()

    def found(self):
        """The pipe; and what the program has found: its descriptor, all of them, NOTIFY_SOCKET."""
        wait_until("the program runs", lambda: os.path.exists(self.path + ".found"))
        with open(self.path + ".found") as f:
            found = f.read().split(" ", 1)
        os.unlink(self.path + ".found")
        return found

    def assert_becomes_ready(self, fdsup, found):
        pipe, what = self.found()
        self.assertEqual(what, found)
        self.assertEqual(fdsup.status("s")["state"], "STARTING")
        self.assertEqual(fdsup.workers("s")[0]["state"], "STARTING")
        self.assertIn(pipe, open_files(fdsup.pid))
        self.go()
        fdsup.wait_state("s", "UP")
        self.assertEqual(fdsup.workers("s")[0]["state"], "READY")
        self.assertNotIn(pipe, open_files(fdsup.pid))

    def test_a_daemon(self):
        fdsup = self.program("", READY + STAY)
        self.assert_becomes_ready(fdsup, "3 [0, 1, 2, 3] None")

    def test_a_worker(self):
        port = free_port()
        fdsup = self.program('type = "worker"; address = "127.0.0.1"; port = %d;' % port, READY + TAKER + r'''
queue = socket.socket(fileno=3)
while True:
    socket.socket(fileno=take(queue)[1]).sendall(b"hello")
''')
        waiting = self.connect(port)
        self.assert_becomes_ready(fdsup, "4 [0, 1, 2, 3, 4, 5] None")
        self.assertEqual(self.read_all(waiting), b"hello")

    def test_a_program_that_accepts_itself(self):
        port = free_port()
        fdsup = self.program('type = "listen"; address = [ "127.0.0.1", "::1" ]; port = %d;' % port, READY + r'''
listener = socket.socket(fileno=3)
while True:
    listener.accept()[0].sendall(b"hello")
''')
        self.assertEqual(fdsup.status("s")["state"], "ON-DEMAND")
        waiting = self.connect(port)
        self.assert_becomes_ready(fdsup, "5 [0, 1, 2, 3, 4, 5] None")
        self.assertEqual(self.read_all(waiting), b"hello")

    def test_a_program_that_accepts_itself_as_with_inetd(self):
        fdsup = self.program('type = "listen"; address = "127.0.0.1"; port = %d; inetd = true;'
                             ' workers = { min = 1; };' % free_port(), READY + STAY)
        self.assert_becomes_ready(fdsup, "3 [0, 1, 2, 3] None")

    def test_one_that_closes_it_without_a_newline_is_told_and_then_killed(self):
        fdsup = self.program('start_timeout = "700ms";', 'os.write(fd, b"ready"); os.close(fd)\n' + STAY)
        pid = int(fdsup.wait_log(r"error s: daemon (\d+) has closed its readiness descriptor "
                                 r"\(FDSUP_READY_FD\) without a newline: .*700ms.* \(start_timeout\)").group(1))
        fdsup.wait_log(r"s: daemon %d is not ready after 700ms \(start_timeout\)" % pid)
        fdsup.wait_log(r"s: daemon %d killed by SIGKILL after \S+ \(start_timeout\); next try in" % pid)
        fdsup.wait_state("s", "BACKOFF")

    def test_one_that_writes_without_end_is_told(self):
        fdsup = self.program("", 'os.write(fd, b"x" * 5000)\n' + STAY)
        fdsup.wait_log("has filled its readiness descriptor .FDSUP_READY_FD. without a newline")
        self.assertEqual(fdsup.status("s")["state"], "STARTING")

    def test_one_that_ends_is_not_told_to_have_closed_it(self):
        fdsup = self.program("", "sys.exit(3)\n")
        fdsup.wait_log("s: daemon .* exited 3", count=2)
        self.assertEqual(fdsup.count_log("readiness descriptor"), 0)

    def test_the_other_way_does_not_count(self):
        fdsup = self.program('type = "worker"; port = %d; address = "127.0.0.1"; watchdog = "1min";' % free_port(), r'''
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.sendto(b"READY=1\nSTATUS=told", os.environ["NOTIFY_SOCKET"])
''' + READY + STAY)
        wait_until("its status", lambda: fdsup.workers("s")[0]["status"] == "told")
        self.assertEqual(fdsup.workers("s")[0]["state"], "STARTING")
        self.go()
        fdsup.wait_state("s", "UP")

    def test_nothing_is_left_of_workers_that_are_stopped_before(self):
        fdsup = self.program("", READY + STAY)
        pipes = [self.found()[0]]
        fdsup.order("stop", "s")
        orders = []
        for order in "start", "restart":
            orders.append(threading.Thread(target=fdsup.ctl, args=[order, "s"]))
            orders[-1].start()
            pipes.append(self.found()[0])
        fdsup.write('s = { umask = "027"; %s };' % self.keys)
        fdsup.order("reload")
        pipes.append(self.found()[0])
        self.assertIn(pipes[-1], open_files(fdsup.pid))
        self.assertEqual(fdsup.status("s")["state"], "STARTING")
        fdsup.order("stop", "s")
        self.assertFalse(open_files(fdsup.pid) & set(pipes))
        for order in orders:
            order.join()


if __name__ == "__main__":
    main()

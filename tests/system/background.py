"""Starting in the background, telling a service manager, and the init script."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

from support import BIN, LONG, Test, children, free_port, is_running, main, reap_orphans, run, wait_until

SOURCE = os.environ.get("FDSUP_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))


class Background(Test):
    def setUp(self):
        super().setUp()
        self.one = self.unstarted()
        self.directory = self.one.directory
        self.pid_file = os.path.join(self.directory, "fdsup.pid")
        self.port = free_port()

    def cat(self, name="cat", port=None):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };\n' % (name, port or self.port)

    def start(self, *arguments):
        return run("fdsup", "-c", self.one.path, "--background", "--pid-file", self.pid_file, *arguments)

    def pid(self):
        with open(self.pid_file) as f:
            return int(f.read())

    def reap(self, pid):
        """It is our child, since its parent has gone."""
        wait_until("it ends", lambda: not is_running(pid))
        return os.waitpid(pid, 0)[1]

    # -- the background

    def test_it_returns_when_it_is_ready(self):
        self.one.write(self.cat())
        code, output, error = self.start()
        self.assertEqual(code, 0, error)
        self.assertEqual(self.talk(self.port, b"x"), b"x")
        pid = self.pid()
        self.assertEqual(self.one.status()["daemon"]["pid"], pid)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.reap(pid), 0)
        self.assertFalse(os.path.exists(self.pid_file))
        self.assertEqual(os.listdir(self.one.runtime_dir), [])

    def test_a_log_that_ends_there_is_told_and_another_is_not(self):
        for log, is_told in (("", True), ('log = { to = "%s/log"; };' % self.directory, False)):
            self.one.write(self.cat(), log)
            code, output, error = self.start()
            self.assertEqual((code, output), (0, ""), error)
            self.assertEqual('warning: log.to is "stderr"' in error, is_told, error)
            pid = self.pid()
            os.kill(pid, signal.SIGTERM)
            self.reap(pid)

    def test_it_lets_go_of_terminal_session_and_descriptors(self):
        self.one.write(self.cat())
        self.assertEqual(self.start()[0], 0)
        pid = self.pid()
        self.assertEqual([os.readlink("/proc/%d/fd/%d" % (pid, n)) for n in range(3)], ["/dev/null"] * 3)
        self.assertNotEqual(os.getsid(pid), os.getsid(0))
        os.kill(pid, signal.SIGTERM)
        self.reap(pid)

    def test_what_is_wrong_is_printed_and_the_code_says_so(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", self.port))
            holder.listen()
            for services, expected in ((self.cat(), "address in use"), ("a = { prot = 1; };", "services.a.prot")):
                self.one.write(services)
                code, _, error = self.start()
                self.assertEqual(code, 1)
                self.assertIn(expected, error)
                self.assertFalse(os.path.exists(self.pid_file))
                self.assertEqual(children(), {})

    def test_a_pid_file_that_cannot_be_written_is_an_error(self):
        self.one.write(self.cat())
        self.pid_file = os.path.join(self.directory, "no/such/directory/pid")
        code, _, error = self.start()
        self.assertEqual(code, 1)
        self.assertIn("cannot write the pid file %s" % self.pid_file, error)
        with self.assertRaises(ConnectionRefusedError):
            self.connect(self.port)
        self.assertEqual(children(), {})

    def test_a_pid_file_follows_no_link(self):
        precious = os.path.join(self.directory, "precious")
        with open(precious, "w") as f:
            f.write("precious")
        os.symlink(precious, self.pid_file)
        self.one.write(self.cat())
        code, _, error = self.start()
        with open(precious) as f:
            self.assertEqual(f.read(), "precious")
        if code == 0:
            pid = self.pid()
            os.kill(pid, signal.SIGTERM)
            self.reap(pid)

    def test_a_second_one_leaves_the_pid_file_of_the_first_alone(self):
        self.one.write(self.cat())
        self.assertEqual(self.start()[0], 0)
        pid = self.pid()
        code, _, error = self.start()
        self.assertEqual(code, 1)
        self.assertIn("fdsup runs already", error)
        self.assertEqual(self.pid(), pid)
        os.kill(pid, signal.SIGTERM)
        self.reap(pid)

    def test_the_pid_file_works_in_the_foreground(self):
        self.one.write(self.cat())
        self.one.start(["--pid-file", self.pid_file])
        self.assertEqual(self.pid(), self.one.pid)
        self.one.stop()
        self.assertFalse(os.path.exists(self.pid_file))

    # -- a service manager

    def receive(self, s):
        return s.recv(4096).decode().split("\n")

    def test_a_service_manager_is_told(self):
        for name in (os.path.join(self.directory, "manager"), "\0fdsup-test-%d" % os.getpid()):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.bind(name)
                s.settimeout(LONG)
                self.one.write(self.cat())
                process = subprocess.Popen(
                    [os.path.join(BIN, "fdsup"), "-c", self.one.path], stdin=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=name.replace("\0", "@")))
                try:
                    self.assertIn("READY=1", self.receive(s))
                    self.assertEqual(self.talk(self.port, b"x"), b"x")
                    for services in (self.cat(), "wrong"):
                        self.one.write(services)
                        before = time.monotonic_ns() // 1000
                        process.send_signal(signal.SIGHUP)
                        lines = self.receive(s)
                        self.assertIn("RELOADING=1", lines)
                        stamp = int(re.search(r"MONOTONIC_USEC=(\d+)", "\n".join(lines))[1])
                        self.assertLessEqual(before, stamp)
                        self.assertLessEqual(stamp, time.monotonic_ns() // 1000)
                        self.assertIn("READY=1", self.receive(s))
                finally:
                    process.terminate()
                    self.assertIn("STOPPING=1", self.receive(s))
                    self.assertEqual(process.wait(LONG), 0)

    # -- the script for procd, whose part the shell functions of this test play

    PROCD = r"""
        procd_open_instance() { echo open; }
        procd_close_instance() { echo close; }
        procd_set_param() { echo "$*"; }
        PATH_BEFORE=$PATH
        . "$1"
        PATH=$2:$PATH_BEFORE CONFIG=$3
        "$4"
    """

    def procd(self, function):
        done = subprocess.run(
            ["sh", "-c", self.PROCD, "sh", os.path.join(SOURCE, "etc", "fdsup.procd"), BIN, self.one.path, function],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONG,
            env=dict(os.environ, FDSUP_SOCKET=self.one.socket_path))
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_what_procd_is_told_serves_and_is_reloaded(self):
        self.one.write(self.cat())
        code, lines, said = self.procd("start_service")
        self.assertEqual((code, lines[0], lines[-1]), (0, "open", "close"), said)
        told = dict(line.split(" ", 1) for line in lines[1:-1])
        self.assertEqual(told["stderr"], "1")
        self.assertEqual(told["respawn"].split()[-1], "0", "it is never given up")
        process = subprocess.Popen(told["command"].split(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until("it serves", lambda: self.one.ctl("status")[0] == 0)
            self.assertEqual(self.talk(self.port, b"x"), b"x")
            other = free_port()
            self.one.write(self.cat() + self.cat("other", other))
            self.assertEqual(self.procd("reload_service")[0], 0)
            self.assertEqual(self.talk(other, b"x"), b"x")
        finally:
            process.terminate()
            self.assertEqual(process.wait(LONG), 0)

    def test_procd_is_told_nothing_of_a_wrong_file(self):
        self.one.write("wrong")
        code, lines, said = self.procd("start_service")
        self.assertNotEqual(code, 0)
        self.assertEqual(lines, [])
        self.assertIn(self.one.path, said)

    # -- the init script

    def script(self):
        """A copy of the init script that works with this test's files; returns a function that runs it."""
        with open(os.path.join(SOURCE, "etc", "fdsup.sysv")) as f:
            text = f.read()
        for name, value in (("PATH", "%s:%s" % (BIN, os.environ["PATH"])), ("CONFIG", self.one.path),
                            ("PIDFILE", self.pid_file)):
            text, n = re.subn(r"(?m)^%s=.*$" % name, "%s='%s'" % (name, value), text)
            self.assertEqual(n, 1, name)
        text = text.replace("/etc/default/fdsup", os.path.join(self.directory, "default"))
        path = os.path.join(self.directory, "init")
        with open(path, "w") as f:
            f.write(text)

        def call(verb):
            done = subprocess.run(["sh", path, verb], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=4 * LONG, env=dict(os.environ, FDSUP_SOCKET=self.one.socket_path))
            return done.returncode, (done.stdout + done.stderr).decode()
        return call

    def test_the_init_script(self):
        init = self.script()
        other = free_port()
        self.one.write(self.cat())
        self.assertEqual(init("status")[0], 3)
        code, output = init("start")
        self.assertEqual(code, 0, output)
        self.assertEqual(self.talk(self.port, b"x"), b"x")
        pid = self.pid()
        self.assertEqual(init("status")[0], 0)
        code, output = init("start")
        self.assertEqual(code, 0)
        self.assertIn("runs already (pid %d)" % pid, output)
        self.one.write(self.cat() + self.cat("other", other))
        self.assertEqual(init("reload")[0], 0)
        self.assertEqual(self.talk(other, b"x"), b"x")
        self.assertEqual(self.pid(), pid)
        self.one.write("wrong")
        for verb in ("reload", "restart"):
            code, output = init(verb)
            self.assertNotEqual(code, 0)
            self.assertIn(self.one.path, output)
            self.assertEqual(self.talk(self.port, b"x"), b"x")
        self.assertEqual(init("nonsense")[0], 64)
        self.one.write(self.cat())
        self.stop_by(init, pid)
        self.assertEqual(init("stop")[0], 0)
        self.assertEqual(init("status")[0], 3)

    def stop_by(self, init, pid):
        """`stop` waits until the process has gone, and its zombie is ours to reap."""
        reaper = threading.Thread(target=os.waitpid, args=(pid, 0))
        reaper.start()
        code, output = init("stop")
        reaper.join()
        self.assertEqual(code, 0, output)
        self.assertFalse(os.path.exists(self.pid_file))
        with self.assertRaises(ConnectionRefusedError):
            self.connect(self.port)

    def test_the_init_script_says_what_is_wrong(self):
        init = self.script()
        self.one.write("a = { prot = 1; };")
        code, output = init("start")
        self.assertEqual(code, 1)
        self.assertIn("services.a.prot", output)
        self.assertEqual(init("status")[0], 3)


    def test_closed_standard_descriptors_do_no_harm(self):
        fdsup = self.unstarted('a = { command = "/bin/sleep 1000"; };')
        done = subprocess.run(["/bin/sh", "-c", 'exec "$0" -c "$1" -b <&- >&- 2>&-', os.path.join(BIN, "fdsup"), fdsup.path],
                              timeout=LONG)
        self.assertEqual(done.returncode, 0)
        pid = fdsup.status()["daemon"]["pid"]
        self.assertEqual(fdsup.status("a")["state"], "UP")
        os.kill(pid, signal.SIGTERM)
        wait_until("it ends", lambda: not os.path.exists(os.path.join(fdsup.runtime_dir, "admin.sock")))
        reap_orphans()

    def test_why_it_does_not_start_is_said_wherever_the_log_goes(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            fdsup = self.unstarted('a = { address = "127.0.0.1"; port = %d; command = "cat"; };' % taken.getsockname()[1])
            fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "cat"; };' % taken.getsockname()[1],
                        'log = { to = "%s/log"; };' % fdsup.directory)
            done = subprocess.run([os.path.join(BIN, "fdsup"), "-c", fdsup.path, "-b"], capture_output=True, timeout=LONG)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"address in use, held by pid %d" % os.getpid(), done.stderr)


if __name__ == "__main__":
    main()

"""fdsupctl upgrade: another program in the same process; nobody is disturbed, and a wrong one is refused."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

from streams import Following
from support import BIN, LONG, Fdsup, Load, TAKER, Test, count_descriptors, free_port, main, wait_until
from varlink_client import Client

PROGRAMS = ["fdsup", "fdsup-acceptor", "fdsup-worker", "fdsup-redirect", "fdsup-builtin", "fdsup-relay", "fdsup-keeper",
            "fdsupctl"]

# Of type worker: takes connections and sends back what it gets, after telling that it is ready.
WORKER = TAKER + r"""
import os
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1\nSTATUS=waiting")
queue = socket.socket(fileno=3)
while True:
    with socket.socket(fileno=take(queue)[1]) as s:
        s.sendall(s.recv(100))
"""

# Of type listen.
LISTENER = r"""
import socket
s = socket.socket(fileno=3)
s.setblocking(True)
while True:
    c, _ = s.accept()
    with c:
        c.sendall(c.recv(100))
"""


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Installed(Fdsup):
    """Run from a folder of its own, in which programs can be replaced."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.bin = os.path.join(self.directory, "bin")
        os.mkdir(self.bin)
        for program in PROGRAMS:
            shutil.copy2(os.path.join(BIN, program), self.bin)

    def install(self, name, content, mode=0o755):
        path = os.path.join(self.bin, name)
        with open(path + ".new", "wb") as f:
            f.write(content)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)

    def original(self, name="fdsup"):
        with open(os.path.join(BIN, name), "rb") as f:
            return f.read()

    def install_version(self, version):
        """The same program, which calls itself another version of the same length."""
        own = subprocess.run([os.path.join(BIN, "fdsup"), "--version"], capture_output=True)
        own = own.stdout.split()[1]
        assert len(own) == len(version)
        self.install("fdsup", self.original().replace(own, version))
        return own.decode()


class EveryType:
    def script(self, fdsup, name, text):
        path = os.path.join(fdsup.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return '[ "/usr/bin/env", "python3", "-B", "%s" ]' % path

    def start_every_type(self, fdsup):
        """A service of each type, and a daemon besides: fdsup, the ports by type, the path of the Unix socket."""
        ports = {t: free_port() for t in ["exec", "worker", "listen", "builtin", "redirect"]}
        at = 'address = "127.0.0.1"; port = %d;'
        unix = os.path.join(fdsup.directory, "unix.sock")
        fdsup.write(
            'exec = { %s command = "/bin/cat"; };\n' % (at % ports["exec"])
            + 'worker = { %s type = "worker"; ready = "notify"; workers = { min = 2; max = 2; }; command = %s; };\n' % (
                at % ports["worker"], self.script(fdsup, "worker.py", WORKER))
            + 'listen = { %s type = "listen"; command = %s; };\n' % (
                at % ports["listen"], self.script(fdsup, "listen.py", LISTENER))
            + 'builtin = { %s type = "builtin"; builtin = "echo"; };\n' % (at % ports["builtin"])
            + 'redirect = { %s type = "redirect"; to = "127.0.0.1:%d"; };\n' % (
                at % ports["redirect"], ports["exec"])
            + 'unix = { address = "unix:%s"; command = "/bin/cat"; };\n' % unix
            + 'daemon = { type = "daemon"; command = [ "/bin/sleep", "100000" ]; };\n')
        fdsup.start()
        fdsup.wait_state("worker", "UP")
        return fdsup, ports, unix

    def say(self, s, text=b"hello"):
        s.sendall(text)
        self.assertEqual(s.recv(len(text)), text)


class Upgrade(EveryType, Test):
    def installed(self, services, top="", start=True):
        daemon = Installed(services, top, start=False)
        self.daemons.append(daemon)
        if start:
            daemon.start()
        return daemon

    def every_type(self):
        return self.start_every_type(self.installed("", start=False))

    # -- what goes on

    def test_every_type_of_service_goes_on(self):
        fdsup, ports, unix = self.every_type()
        held = {}
        for kind, port in ports.items():
            held[kind] = self.connect(port)
            if kind not in ("worker", "listen"):
                self.say(held[kind])
        for kind in ("worker", "listen"):
            self.say(held[kind])
        names = list(ports) + ["daemon"]
        pids = {name: fdsup.worker_pids(name) for name in names}
        before = {name: fdsup.status(name) for name in names}
        pid, acceptor = fdsup.pid, fdsup.acceptor_pid()
        for _ in range(3):
            fdsup.order("upgrade")
        self.assertEqual(fdsup.pid, pid)
        self.assertEqual(fdsup.status()["daemon"]["pid"], pid)
        self.assertEqual(fdsup.acceptor_pid(), acceptor)
        self.assertEqual({name: fdsup.worker_pids(name) for name in names}, pids)
        for kind, s in held.items():
            if kind not in ("worker", "listen"):
                self.say(s)
        for kind, port in ports.items():
            with socket.create_connection(("127.0.0.1", port), LONG) as s:
                self.say(s)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(unix)
            self.say(s)
        for name in names:
            after = fdsup.status(name)
            self.assertEqual(after["state"], "UP" if before[name]["state"] == "UP" else after["state"])
            self.assertGreaterEqual(after["accepted"], before[name]["accepted"])
            self.assertEqual((after["lost"], after["deaths"]), (0, 0))
        self.assertEqual(fdsup.workers("worker")[0]["status"], "waiting")

    def test_twenty_upgrades_in_a_row_under_load_lose_nobody(self):
        fdsup, ports, _ = self.every_type()
        pids = fdsup.worker_pids("worker")
        with Load(ports["exec"]) as execs, Load(ports["worker"]) as workers:
            for _ in range(20):
                execs.wait_served(5)
                workers.wait_served(5)
                fdsup.order("upgrade")
        for load in (execs, workers):
            self.assertEqual((load.lost, load.refused), (0, 0))
        self.assertEqual(fdsup.worker_pids("worker"), pids)
        for name in ("exec", "worker"):
            self.assertEqual(fdsup.status(name)["lost"], 0)
        wait_until("the last are counted", lambda: fdsup.status("exec")["served"] >= execs.served)

    def test_descriptors_and_memory_stay_what_they_were_after_fifty(self):
        fdsup, ports, _ = self.every_type()
        for _ in range(5):
            fdsup.order("upgrade")
        descriptors, memory = count_descriptors(fdsup.pid), resident(fdsup.pid)
        for _ in range(50):
            fdsup.order("upgrade")
        self.assertLessEqual(count_descriptors(fdsup.pid), descriptors + 1)
        self.assertLess(resident(fdsup.pid), memory * 1.2 + (1 << 20))
        self.assertEqual(self.talk(ports["exec"], b"x"), b"x")

    def test_a_program_goes_on_logging_and_its_end_is_seen(self):
        fdsup = self.installed("", start=False)
        end = os.path.join(fdsup.directory, "end")
        fdsup.write('d = { type = "daemon"; restart_delay = 0.01; command = [ "/bin/sh", "-c", '
                    '"while sleep 0.05; do echo alive >&2; [ -e %s ] && exit 3; done" ]; };' % end)
        fdsup.start()
        fdsup.wait_log("d: stderr: alive")
        fdsup.order("upgrade")
        fdsup.wait_log("d: stderr: alive", fdsup.count_log("d: stderr: alive") + 2)
        pid = fdsup.worker_pids("d")
        open(end, "w").close()
        fdsup.wait_log(r"daemon %d exited 3" % pid[0])

    def test_who_waits_for_a_service_is_answered_by_the_new_program(self):
        fdsup = self.installed("", start=False)
        go = os.path.join(fdsup.directory, "go")
        program = self.script(fdsup, "slow.py", (
            "import os, socket, time\n"
            "while not os.path.exists(%r):\n    time.sleep(.01)\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.connect(os.environ['NOTIFY_SOCKET'])\ns.send(b'READY=1')\ntime.sleep(1000)\n") % go)
        fdsup.write('d = { type = "daemon"; enabled = true; ready = "notify"; command = %s; };' % program)
        fdsup.start()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(fdsup.ctl("start", "d")))
        thread.start()
        fdsup.wait_log("d: start ordered")
        fdsup.order("upgrade")
        self.assertEqual(answers, [])
        open(go, "w").close()
        thread.join(LONG)
        self.assertEqual(answers[0][:2], (0, "d: UP\n"))

    def test_deaths_and_the_last_lines_are_still_known(self):
        port = free_port()
        fdsup = self.installed(
            'd = { type = "daemon"; restart_delay = 1000; restart_delay_max = 1000; '
            'command = [ "/bin/sh", "-c", "echo one >&2; echo my last words >&2; exit 3" ]; };\n'
            'c = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c", "echo bad >&2; kill -SEGV $$" ]; };'
            % port)
        self.assertEqual(self.talk(port), b"")

        def known():
            deaths = json.loads(fdsup.ctl("--json", "deaths")[1])["deaths"]
            return deaths if {d["service"] for d in deaths} == {"c", "d"} else None
        deaths = wait_until("both deaths", known)
        wait_until("both lines", lambda: fdsup.ctl("logs", "d")[1].endswith("my last words\n"))
        lines = fdsup.ctl("--json", "logs", "d")[1]
        explained = fdsup.ctl("status", "d")[1].split("\n")[2:4]
        for _ in range(2):
            fdsup.order("upgrade")
            self.assertEqual(known(), deaths)
            self.assertEqual(fdsup.ctl("--json", "logs", "d")[1], lines)
            self.assertIn("my last words", "".join(explained))
            self.assertIn("my last words", fdsup.ctl("status", "d")[1])
        fdsup.ctl("start", "d")     # and new ones are added to them
        wait_until("one more", lambda: len(json.loads(fdsup.ctl("--json", "deaths", "d")[1])["deaths"]) == 2)

    def test_answers_without_an_end_go_on(self):
        fdsup = self.installed("", start=False)
        say = os.path.join(fdsup.directory, "say")
        fdsup.write('d = { type = "daemon"; command = [ "/bin/sh", "-c", '
                    '"while sleep 0.02; do [ -e %s ] && cat %s >&2 && rm %s; done; :" ]; };' % (say, say, say))
        fdsup.start()

        def tell(text):
            with open(say + ".new", "w") as f:
                f.write(text + "\n")
            os.rename(say + ".new", say)
        followings = [Following(fdsup, *words) for words in (["events"], ["events", "d"], ["logs", "-f", "d"])]
        events, of_one, logs = followings
        status = Client(fdsup.socket_path)
        self.sockets.append(status.socket)
        try:
            status.send("org.fdsup.Status", more=True, interval_ms=250)
            status.receive()
            events.wait_for(lambda line: "begin" in line, "of the begin")
            of_one.wait_for(lambda line: "begin" in line, "of the begin")
            for n in range(3):
                fdsup.order("upgrade")
                events.wait_for(lambda line: "has taken the place" in line, "about the upgrade")
                tell("word %d" % n)
                logs.wait_for(lambda line: line.endswith("word %d" % n), "with the word")
                for following in (events, of_one):
                    following.wait_for(lambda line: "stderr: word %d" % n in line, "with the word")
                for _ in range(2):
                    answer = status.receive()
                    self.assertTrue(answer["continues"])
                self.assertEqual(answer["parameters"]["daemon"]["pid"], fdsup.pid)
            self.assertEqual(sum("has taken the place" in line for line in events.lines), 3)
            self.assertEqual(sum("begin" in line for line in events.lines), 1)
            self.assertFalse([line for line in of_one.lines if "has taken the place" in line])
        finally:
            for following in followings:
                following.end()

    def test_who_waits_for_an_answer_that_nobody_else_can_give_may_ask_again(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        held = self.connect(port)
        self.say(held)
        answers = []
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        try:
            thread = threading.Thread(target=lambda: answers.append(fdsup.ctl("connections")))
            thread.start()
            client = Client(fdsup.socket_path)  # the same, to be sure that it has been asked
            self.sockets.append(client.socket)
            client.send("org.fdsup.Connections")
            client.socket.settimeout(0.1)
            self.assertRaises(socket.timeout, client.receive)
            client.socket.settimeout(LONG)
            fdsup.order("upgrade")
            answer = client.receive()
            self.assertEqual(answer["error"], "org.fdsup.Busy")
            self.assertIn("ask again", answer["parameters"]["reason"])
            thread.join(LONG)
            self.assertNotEqual(answers[0][0], 0)
            self.assertIn("ask again", answers[0][2])
        finally:
            os.kill(acceptor, signal.SIGCONT)
        self.say(held)
        wait_until("the connection is listed", lambda: "cat" in fdsup.ctl("connections")[1])

    def test_it_stops_and_reloads_as_before(self):
        fdsup, ports, unix = self.every_type()
        fdsup.order("upgrade")
        fdsup.order("stop", "exec")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports["exec"]), LONG)
        fdsup.order("start", "exec")
        self.assertEqual(self.talk(ports["exec"], b"x"), b"x")
        port = free_port()
        fdsup.write('new = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        fdsup.order("reload")
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.order("upgrade")
        self.assertEqual(fdsup.stop(), 0)
        self.assertFalse(os.path.exists(unix))
        self.assertFalse(os.path.exists(os.path.join(fdsup.runtime_dir, "admin.sock")))

    def test_the_file_in_force_goes_along_not_the_one_on_disk(self):
        port, other = free_port(), free_port()
        text = 'cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };'
        fdsup = self.installed(text % port)
        fdsup.write(text % other + " nonsense")
        fdsup.order("upgrade")
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.write(text % other)
        fdsup.order("reload")
        self.assertEqual(self.talk(other, b"x"), b"x")

    def test_a_service_that_backs_off_is_tried_when_its_time_has_come(self):
        fdsup = self.installed('d = { type = "daemon"; restart_delay = 0.5; restart_delay_max = 0.5; '
                               'command = [ "/bin/false" ]; };')
        fdsup.wait_status("d", lambda s: s["deaths"] >= 2)
        fdsup.order("upgrade")
        deaths = fdsup.status("d")["deaths"]
        self.assertGreaterEqual(deaths, 2)
        fdsup.wait_status("d", lambda s: s["deaths"] >= deaths + 2)

    def test_one_that_has_died_more_often_than_is_remembered_is_no_obstacle(self):
        fdsup = self.installed('d = { type = "daemon"; restart_delay = "10ms"; restart_delay_max = "10ms"; '
                               'command = [ "/bin/false" ]; };')
        fdsup.wait_status("d", lambda s: s["deaths"] > 20)
        fdsup.order("upgrade")
        deaths = fdsup.status("d")["deaths"]
        self.assertGreater(deaths, 20)
        fdsup.wait_status("d", lambda s: s["deaths"] > deaths + 2)

    # -- to what

    def test_another_version_says_from_which_to_which(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        with Load(port) as load:
            for version in (b"9.9.9", b"0.0.1"):
                load.wait_served(5)
                own = fdsup.install_version(version)
                code, output, error = fdsup.ctl("--json", "upgrade")
                self.assertEqual(code, 0, error)
                self.assertEqual(json.loads(output)["to"], version.decode())
                self.assertEqual(fdsup.status()["daemon"]["version"], version.decode())
                load.wait_served(5)
            fdsup.install("fdsup", fdsup.original())
            self.assertEqual(fdsup.order("upgrade"), "fdsup %s runs in the place of 0.0.1\n" % own)
        self.assertEqual((load.lost, load.refused), (0, 0))

    def test_our_other_programs_are_replaced_if_they_have_changed(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; workers = { min = 1; max = 2; }; '
                               'command = "/bin/cat"; };' % port)
        acceptor, workers = fdsup.acceptor_pid(), fdsup.worker_pids("cat")
        held = self.connect(port)
        self.say(held)
        with Load(port) as load:
            load.wait_served(5)
            for program in ("fdsup-acceptor", "fdsup-worker"):
                fdsup.install(program, fdsup.original(program))
            fdsup.order("upgrade")
            wait_until("another acceptor", lambda: fdsup.acceptor_pid() != acceptor)
            load.wait_served(20)
            wait_until("other workers", lambda: not set(workers) & {
                w["pid"] for w in fdsup.workers("cat") if w["state"] == "READY"})
            load.wait_served(20)
        self.say(held)
        self.assertEqual((load.lost, load.refused), (0, 0))

    # -- what is refused

    def refused(self, fdsup, port, reason):
        code, output, error = fdsup.ctl("upgrade")
        self.assertEqual(code, 1, output)
        self.assertRegex(error, reason)
        fdsup.wait_log("upgrade refused: .*; fdsup .* goes on")
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_what_is_no_fdsup_or_is_broken_is_refused_and_nothing_changes(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; workers = { min = 1; max = 1; }; '
                               'command = "/bin/cat"; };' % port)
        workers, descriptors = fdsup.worker_pids("cat"), None
        with open("/bin/true", "rb") as f:
            true = f.read()
        own = fdsup.original()
        for content, mode, reason in (
                (b"#!/bin/sh\necho the library is missing; exit 1\n", 0o755, "the library is missing"),
                (b"no program at all\n", 0o755, "Exec format error"),
                (own, 0o644, "Permission denied"),
                (true, 0o755, "it said nothing"),
                (b"#!/bin/sh\nkill -SEGV $$\n", 0o755, "SIGSEGV"),
                (own.replace(b"adopt-check", b"another-one"), 0o755, "self-test"),
                (own[:20000], 0o755, "self-test|format|killed")):
            fdsup.install("fdsup", content, mode)
            self.refused(fdsup, port, reason)
            if descriptors is None:
                descriptors = count_descriptors(fdsup.pid)
        os.unlink(os.path.join(fdsup.bin, "fdsup"))
        self.refused(fdsup, port, "No such file")
        self.assertEqual(fdsup.worker_pids("cat"), workers)
        self.assertLessEqual(count_descriptors(fdsup.pid), descriptors + 1)
        fdsup.install("fdsup", own)
        fdsup.order("upgrade")
        self.assertEqual(fdsup.worker_pids("cat"), workers)

    def test_a_missing_program_of_ours_is_found_by_the_self_test(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        os.rename(os.path.join(fdsup.bin, "fdsup-relay"), os.path.join(fdsup.bin, "away"))
        if os.path.exists("/usr/local/libexec/fdsup/fdsup-relay"):
            self.skipTest("fdsup is installed: its fdsup-relay is found")
        self.refused(fdsup, port, "cannot find fdsup-relay")
        os.rename(os.path.join(fdsup.bin, "away"), os.path.join(fdsup.bin, "fdsup-relay"))

    def test_one_at_a_time_and_not_during_a_reload(self):
        port = free_port()
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        go = os.path.join(fdsup.directory, "go")
        fdsup.install("fdsup", b"#!/bin/sh\nwhile [ ! -e %s ]; do sleep 0.01; done; exit 1\n" % go.encode())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(fdsup.ctl("upgrade")))
        thread.start()
        fdsup.wait_log("upgrade ordered")
        for order in ("upgrade", "reload"):
            code, _, error = fdsup.ctl(order)
            self.assertNotEqual(code, 0)
            self.assertIn("upgrade is under way", error)
        fdsup.signal(signal.SIGHUP)
        self.assertEqual(self.talk(port, b"x"), b"x")
        open(go, "w").close()
        thread.join(LONG)
        self.assertEqual(answers[0][0], 1)
        fdsup.wait_log("reloaded: ")  # what HUP asked for meanwhile

    def test_it_stops_while_a_self_test_runs(self):
        fdsup = self.installed('cat = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % free_port())
        fdsup.install("fdsup", b"#!/bin/sh\nexec sleep 1000\n")
        thread = threading.Thread(target=lambda: fdsup.ctl("upgrade"))
        thread.start()
        fdsup.wait_log("upgrade ordered")
        self.assertEqual(fdsup.stop(), 0)
        thread.join(LONG)


if __name__ == "__main__":
    main()

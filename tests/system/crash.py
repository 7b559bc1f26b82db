"""fdsup is killed: its services go on, and the next fdsup takes all of it over."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from support import (BIN, LONG, Load, Test, children, count_descriptors, free_port, is_running, main, reap_zombies, run,
                     wait_until)
from upgrade import EveryType


class Crash(EveryType, Test):
    def tearDown(self):
        """Whatever was taken over is our child: its zombie is nobody's fault."""
        self.is_over = True
        for daemon in self.daemons:
            try:
                daemon.stop()
            except subprocess.TimeoutExpired:
                pass  # which is found again, and told
        reap_zombies()
        super().tearDown()

    def setUp(self):
        super().setUp()
        self.is_over = False
        self.known = set()

    def cat(self, port, keys="", name="cat"):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def kill(self, fdsup):
        """
        Kills it. Whatever it had is our child from now on, and is waited for as init does. It has answered
        before: a start is announced a moment before the keeper knows of it.
        """
        if fdsup.process.pid not in self.known:
            fdsup.status()
        self.known.add(fdsup.process.pid)
        fdsup.process.send_signal(signal.SIGKILL)
        fdsup.wait()

    def reaping(self):
        def reap():
            while not self.is_over:
                reap_zombies([d.process.pid for d in self.daemons if d.process])
                time.sleep(0.01)
        thread = threading.Thread(target=reap, daemon=True)
        thread.start()

    def ask_unix(self, path):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(LONG)
            s.connect(path)
            self.say(s)

    def every_type(self):
        return self.start_every_type(self.unstarted())

    # -- without a supervisor

    def test_every_type_of_service_goes_on_and_is_taken_over(self):
        fdsup, ports, unix = self.every_type()
        held = {kind: self.connect(ports[kind]) for kind in ("exec", "builtin", "redirect")}
        for s in held.values():
            self.say(s)
        for kind in ("worker", "listen"):
            self.assertEqual(self.talk(ports[kind], b"x"), b"x")
        self.ask_unix(unix)  # its worker is there: none is started while there is no fdsup
        names = list(ports) + ["daemon"]
        order = [s["name"] for s in fdsup.status()["services"]]
        pids = {name: fdsup.worker_pids(name) for name in names}
        accepted = {name: fdsup.status(name)["accepted"] for name in names}
        acceptor = fdsup.acceptor_pid()
        self.kill(fdsup)

        def all_are_served():
            for s in held.values():
                self.say(s)
            for port in ports.values():
                with socket.create_connection(("127.0.0.1", port), LONG) as s:
                    self.say(s)
            self.ask_unix(unix)
        all_are_served()
        fdsup.start()
        self.assertEqual(fdsup.acceptor_pid(), acceptor)
        self.assertEqual([s["name"] for s in fdsup.status()["services"]], order)
        self.assertEqual({name: fdsup.worker_pids(name) for name in names}, pids)
        all_are_served()
        for name in names:
            service = fdsup.status(name)
            self.assertIn(service["state"], ("UP", "ON-DEMAND"))
            self.assertEqual((service["lost"], service["deaths"]), (0, 0))
            if name in ports and name != "listen":
                self.assertGreaterEqual(service["accepted"], accepted[name] + 2)
        self.assertTrue(fdsup.status()["daemon"]["taken_over_at"])
        fdsup.wait_log("has taken over what fdsup .* had when it died: 7 services")
        self.assertEqual(fdsup.workers("worker")[0]["status"], "waiting")
        self.assertEqual(fdsup.stop(), 0)
        self.assertFalse(os.path.exists(unix))
        self.assertEqual(os.listdir(fdsup.runtime_dir), [])
        wait_until("nothing is left", lambda: reap_zombies() or not children())

    def test_the_first_client_of_a_service_at_rest_waits_for_the_next_fdsup(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        self.kill(fdsup)
        s = self.connect(port)
        s.sendall(b"hello")
        fdsup.start()
        self.assertEqual(s.recv(5), b"hello")

    def test_one_that_is_killed_as_soon_as_it_has_started_is_in_nobody_s_way(self):
        fdsup = self.unstarted(self.cat(free_port()))
        for _ in range(10):
            fdsup.start()
            fdsup.process.send_signal(signal.SIGKILL)
            fdsup.wait()
        fdsup.start()
        fdsup.wait_state("cat", "ON-DEMAND")

    def many(self):
        """More than the keeper is told of in one turn; the first has a worker."""
        ports = [free_port() for _ in range(100)]
        return ports, "".join(self.cat(port, "workers = { min = 1; max = 1; };" if i == 0 else "", "s%03d" % i)
                              for i, port in enumerate(ports))

    def test_what_many_services_have_is_told_to_the_keeper_over_some_turns(self):
        ports, configuration = self.many()
        fdsup = self.fdsup(configuration)
        self.assertEqual(self.talk(ports[-1], b"x"), b"x")
        for _ in range(20):
            fdsup.status()  # each answer is a turn
        pids = fdsup.worker_pids("s000")
        self.kill(fdsup)
        s = self.connect(ports[50])
        s.sendall(b"hello")
        fdsup.start()
        self.assertEqual(s.recv(5), b"hello")
        self.assertEqual(fdsup.worker_pids("s000"), pids)
        self.assertEqual(len(fdsup.status()["services"]), 100)
        self.assertEqual(fdsup.status("s099")["accepted"], 1)
        fdsup.wait_log("has taken over what fdsup .* had when it died: 100 services")

    def test_what_changes_while_the_keeper_is_told_of_many_is_told_as_well(self):
        """Killed at once, it is taken over or started anew, and a reload that comes at once counts."""
        ports, configuration = self.many()
        fdsup = self.unstarted(configuration)
        for _ in range(5):
            fdsup.start()
            fdsup.process.send_signal(signal.SIGKILL)
            fdsup.wait()
        fdsup.start()
        self.assertEqual(self.talk(ports[0], b"x"), b"x")

        def keepers():
            # one that was taken over is no child of this fdsup
            found = {**children(), **children(fdsup.pid)}
            return [pid for pid, name in found.items() if name == "fdsup-keeper"]
        keeper, = wait_until("one keeper", lambda: len(keepers()) == 1 and keepers())
        fdsup.write("".join(self.cat(port, name="s%03d" % i) for i, port in enumerate(ports) if i >= 10))
        os.kill(keeper, signal.SIGKILL)  # the next one has nothing yet
        fdsup.order("reload")
        fdsup.order("restart", "s042")
        wait_until("another keeper", lambda: [pid for pid in keepers() if pid != keeper])
        for _ in range(20):
            fdsup.status()
        self.kill(fdsup)
        fdsup.start()
        self.assertEqual(len(fdsup.status()["services"]), 90)
        self.assertEqual(self.talk(ports[99], b"x"), b"x")

    def test_status_says_that_services_go_on_and_what_to_do(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        self.kill(fdsup)
        # The keeper may be about to read what was sent to it.
        wait_until("it says so", lambda: "its services go on" in fdsup.ctl("status")[1])
        code, output, _ = fdsup.ctl("status")
        self.assertEqual(code, 1)
        self.assertIn("fdsup died", output)
        self.assertIn("its services go on", output)
        self.assertIn("start fdsup", output)
        self.assertIn("fdsup-acceptor", output)
        fdsup.start()
        self.assertEqual(fdsup.ctl("status")[0], 0)

    def test_kills_under_load_lose_nobody(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 1; max = 2; };"))
        with Load(port) as load:
            for _ in range(6):
                load.wait_served(20)
                pids = fdsup.worker_pids("cat")
                self.kill(fdsup)
                load.wait_served(20)
                fdsup.start()
                self.assertTrue(set(pids) & set(fdsup.worker_pids("cat")))
        self.assertEqual((load.lost, load.refused), (0, 0))
        self.assertEqual(fdsup.status("cat")["lost"], 0)
        wait_until("all are counted", lambda: fdsup.status("cat")["served"] >= load.served)

    def test_kills_at_any_moment_of_a_reload_lose_nobody(self):
        port, other = free_port(), free_port()
        fdsup = self.fdsup(self.cat(port))
        with Load(port) as load:
            for i in range(8):
                load.wait_served(5)
                fdsup.write(self.cat(port, "max_connections = %d;" % (100 + i)) + self.cat(other, name="new%d" % i))
                fdsup.signal(signal.SIGHUP)
                time.sleep(0.004 * i)  # wherever it then is: that is what is tried
                self.kill(fdsup)
                n_reloaded = fdsup.count_log("reloaded")
                fdsup.start()
                self.assertEqual(self.talk(other, b"x"), b"x") if self.is_bound(other) else None
                fdsup.wait_log("reloaded", n_reloaded + 1)
                self.assertEqual(self.talk(other, b"x"), b"x")
        self.assertEqual((load.lost, load.refused), (0, 0))
        self.assertEqual(fdsup.count_log("has taken over"), 8)
        self.assertEqual(fdsup.count_log("cannot be taken over"), 0)

    def is_bound(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), LONG).close()
        except ConnectionRefusedError:
            return False
        return True

    def test_a_talkative_program_is_not_stopped_by_a_full_pipe(self):
        fdsup = self.unstarted()
        count = os.path.join(fdsup.directory, "count")
        program = self.script(fdsup, "talk.py", (
            "import os\nn = 0\nwhile True:\n    os.write(2, b'x' * 999 + b'\\n')\n    n += 1\n"
            "    if n %% 100 == 0:\n        open(%r, 'w').write(str(n))\n") % count)
        fdsup.write('t = { type = "daemon"; command = %s; };' % program)
        fdsup.start()

        def written():
            with open(count) as f:
                return int(f.read() or 0)
        wait_until("it writes", lambda: os.path.exists(count) and written())
        pids = fdsup.worker_pids("t")
        self.kill(fdsup)
        before = written()
        wait_until("it goes on writing", lambda: written() > before + 300)  # some pipes full
        fdsup.start()
        self.assertEqual(fdsup.worker_pids("t"), pids)
        fdsup.wait_log("t: stderr: xxx")

    def test_what_a_program_tells_meanwhile_is_heard(self):
        fdsup = self.unstarted()
        go = os.path.join(fdsup.directory, "go")
        program = self.script(fdsup, "slow.py", (
            "import os, socket, time\nwhile not os.path.exists(%r):\n    time.sleep(.01)\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(os.environ['NOTIFY_SOCKET'])\n"
            "for i in range(100):\n    s.send(b'STATUS=%%d' %% i)\ns.send(b'READY=1')\n"
            "open(%r, 'w').close()\ntime.sleep(1000)\n") % (go, go + ".told"))
        fdsup.write('d = { type = "daemon"; ready = "notify"; command = %s; };' % program)
        fdsup.start()
        fdsup.wait_state("d", "STARTING")
        self.kill(fdsup)
        open(go, "w").close()
        wait_until("it has told all", lambda: os.path.exists(go + ".told"))
        fdsup.start()
        fdsup.wait_state("d", "UP")
        self.assertEqual(fdsup.workers("d")[0]["status"], "99")

    # -- deaths meanwhile

    def test_what_dies_meanwhile_is_replaced_by_the_next(self):
        self.reaping()
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 2; max = 2; };")
                           + 'd = { type = "daemon"; command = [ "/bin/sleep", "100000" ]; };')
        worker, other = fdsup.worker_pids("cat")
        daemon, = fdsup.worker_pids("d")
        acceptor = fdsup.acceptor_pid()
        self.kill(fdsup)
        for pid in (worker, daemon, acceptor):
            os.kill(pid, signal.SIGKILL)
        wait_until("they are gone", lambda: not any(map(is_running, (worker, daemon, acceptor))))
        fdsup.start()
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_log(r"d: daemon %d (killed by SIGKILL|ended in an unknown way) after" % daemon)
        wait_until("another daemon", lambda: fdsup.worker_pids("d") not in ([], [daemon]))
        wait_until("two workers", lambda: other in fdsup.worker_pids("cat") and len(fdsup.worker_pids("cat")) == 2)
        self.assertNotEqual(fdsup.acceptor_pid(), acceptor)

    def test_a_worker_that_was_started_in_the_last_moment_finishes(self):
        self.reaping()
        fdsup = self.fdsup(self.cat(free_port(), "workers = { min = 1; max = 1; };"))
        known = fdsup.worker_pids("cat")
        self.kill(fdsup)
        with open(os.path.join(fdsup.runtime_dir, "fdsup.pid")) as f:
            instance = f.read().split("\n")[2]
        path = os.path.join(fdsup.directory, "unknown.sock")
        unknown = subprocess.Popen(
            [os.path.join(BIN, "fdsup-worker"), path, "/bin/cat"],
            env={"FDSUP_SERVICE": "cat", "FDSUP_INSTANCE": instance}, stderr=subprocess.DEVNULL)
        wait_until("it serves", lambda: os.path.exists(path))
        fdsup.start()
        fdsup.wait_log("worker %d was started by the fdsup that died" % unknown.pid)
        wait_until("it is gone", lambda: not is_running(unknown.pid))
        self.assertEqual(fdsup.worker_pids("cat"), known)

    def test_a_command_whose_worker_dies_after_a_takeover_ends_for_us_as_well(self):
        """It is no child of this fdsup, and of a Unix socket the kernel tells nothing."""
        port = free_port()
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "cat.sock")
        fdsup.write(self.cat(port) + 'unix = { address = "unix:%s"; command = "/bin/cat"; };\n' % path)
        fdsup.start()
        with self.connect(port) as one, socket.socket(socket.AF_UNIX) as other:
            other.settimeout(LONG)
            other.connect(path)
            for s in (one, other):
                self.say(s)
            self.kill(fdsup)
            fdsup.start()
            for name in ("cat", "unix"):
                worker = fdsup.worker_pids(name)[0]
                os.kill(worker, signal.SIGKILL)
                wait_until("its end", lambda: worker not in fdsup.worker_pids(name))
            for s in (one, other):
                self.say(s)
        for name in ("cat", "unix"):
            service = fdsup.wait_status(name, lambda s: s["connections"]["used"] == 0, "its end")
            self.assertEqual((service["served"], service["lost"]), (1, 0))

    def deaths(self, fdsup, *names):
        return json.loads(fdsup.ctl("--json", "deaths", "-n", "100", *names)[1])["deaths"]

    def kept_deaths(self, fdsup):
        """Those in the files that the keeper has."""
        keeper = next(p for p, n in {**children(), **children(fdsup.process.pid)}.items() if n == "fdsup-keeper")
        kept = []
        for name in os.listdir("/proc/%d/fd" % keeper):
            path = "/proc/%d/fd/%s" % (keeper, name)
            try:
                if "fdsup-deaths" in os.readlink(path):
                    with open(path) as f:
                        kept += json.load(f)
            except (OSError, ValueError):
                pass  # it has just been replaced
        return kept

    def test_deaths_are_still_known_and_its_own_is_one_of_them(self):
        port, failing = free_port(), free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 1; max = 1; };") +
                           'daemon = { command = [ "/bin/sh", "-c", "echo last words >&2; exit 3" ]; };\n'
                           'failing = { address = "127.0.0.1"; port = %d;'
                           ' command = [ "/bin/sh", "-c", "exit 4" ]; };' % failing)
        with self.connect(failing) as s:
            self.assertEqual(self.read_all(s), b"")
        os.kill(fdsup.worker_pids("cat")[0], signal.SIGKILL)
        for n in range(1, 3):
            wait_until("deaths of all", lambda: {"cat", "daemon", "failing"} <= {d["service"] for d in self.deaths(fdsup)})
            before = [d for d in self.deaths(fdsup) if d["service"] != "daemon"]  # which goes on dying
            # A second later, or less.
            wait_until("that is kept", lambda: all(d in self.kept_deaths(fdsup) for d in before))
            pid = fdsup.process.pid
            self.kill(fdsup)
            fdsup.start()
            after = self.deaths(fdsup)
            for death in before:
                self.assertIn(death, after)
            self.assertEqual(next(d for d in after if d["service"] == "daemon")["stderr"], ["last words"])
            self.assertEqual(len(self.deaths(fdsup, "fdsup")), n)
            self.assertEqual(self.deaths(fdsup, "fdsup")[-1]["pid"], pid)
        code, output, _ = fdsup.ctl("deaths", "fdsup")
        self.assertEqual(code, 0)
        self.assertRegex(output, r"fdsup +%d +died in an unknown way" % pid)

    def test_one_that_was_taken_over_is_replaced_when_it_dies(self):
        self.reaping()
        fdsup = self.fdsup('d = { type = "daemon"; restart_delay = 0.01; command = [ "/bin/sleep", "100000" ]; };')
        self.kill(fdsup)
        fdsup.start()
        daemon, = fdsup.worker_pids("d")
        os.kill(daemon, signal.SIGTERM)
        fdsup.wait_log(r"d: daemon %d (killed by SIGTERM|ended in an unknown way)" % daemon)
        wait_until("another", lambda: fdsup.worker_pids("d") not in ([], [daemon]))
        self.assertEqual(fdsup.status("d")["deaths"], 1)

    def test_an_acceptor_that_was_taken_over_is_asked_and_watched(self):
        self.reaping()
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        s = self.connect(port)
        self.say(s)
        sandbox = fdsup.status()["daemon"]["acceptors"][0]["sandbox"]
        self.kill(fdsup)
        fdsup.start()
        self.assertIn("127.0.0.1:%d" % s.getsockname()[1], fdsup.ctl("connections")[1])
        self.assertEqual(fdsup.status()["daemon"]["acceptors"][0]["sandbox"], sandbox)
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        fdsup.wait_log("acceptor %d does not answer .*: it is killed" % acceptor)
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.say(s)

    def test_a_worker_that_was_taken_over_and_leaves_has_not_died(self):
        """Nobody waits for it here as init would, so that nobody knows how it ended."""
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'idle_timeout = "1s";'))
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.kill(fdsup)
        fdsup.start()
        fdsup.wait_state("cat", "ON-DEMAND")
        self.assertEqual(fdsup.status("cat")["deaths"], 0)

    def test_the_keeper_is_replaced_and_the_next_fdsup_finds_all(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 1; max = 1; };"))
        for _ in range(3):
            keeper, = [p for p, n in children(fdsup.pid).items() if n == "fdsup-keeper"]
            os.kill(keeper, signal.SIGKILL)
            fdsup.wait_log("keeper killed by SIGKILL; another takes its place", fdsup.count_log("keeper killed") or 1)
            wait_until("another keeper", lambda: any(
                n == "fdsup-keeper" and p != keeper for p, n in children(fdsup.pid).items()))
        pids = fdsup.worker_pids("cat")
        self.assertEqual(fdsup.ctl("status")[0], 0)
        self.kill(fdsup)
        fdsup.start()
        self.assertEqual(fdsup.worker_pids("cat"), pids)

    def keeper(self, fdsup):
        return next((p for p, n in children(fdsup.pid).items() if n == "fdsup-keeper"), None)

    def wait_keeper(self, fdsup, old):
        """Another one, which has what the next fdsup needs."""
        wait_until("another keeper", lambda: self.keeper(fdsup) not in (None, old))
        pids = fdsup.worker_pids("cat")
        self.kill(fdsup)
        fdsup.start()
        self.assertEqual(fdsup.worker_pids("cat"), pids)

    def test_a_keeper_that_hangs_is_replaced_and_keeps_no_port_open(self):
        port, gone = free_port(), free_port()
        cat = self.cat(port, "workers = { min = 1; max = 1; };")
        fdsup = self.fdsup(cat + self.cat(gone, name="gone"))
        old = self.keeper(fdsup)
        os.kill(old, signal.SIGSTOP)
        fdsup.write(cat)
        fdsup.order("reload")

        def is_refused():
            try:
                socket.create_connection(("127.0.0.1", gone), 0.2).close()
            except ConnectionRefusedError:
                return True
            except TimeoutError:
                pass
            return False
        wait_until("nobody listens", is_refused)
        fdsup.wait_log("the keeper %d does not answer; it is killed" % old)
        self.wait_keeper(fdsup, old)

    def with_own_programs(self, port):
        fdsup = self.unstarted()
        for name in os.listdir(BIN):
            if name.startswith("fdsup"):
                shutil.copy2(os.path.join(BIN, name), fdsup.directory)
        fdsup.bin = fdsup.directory
        fdsup.write(self.cat(port, "workers = { min = 1; max = 1; };"))
        fdsup.start()
        return fdsup

    def test_an_acceptor_that_was_about_to_end_is_replaced(self):
        self.reaping()
        port = free_port()
        fdsup = self.with_own_programs(port)
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        os.utime(os.path.join(fdsup.directory, "fdsup-acceptor"))
        self.upgrade(fdsup)
        self.kill(fdsup)
        fdsup.start()
        os.kill(acceptor, signal.SIGCONT)
        wait_until("another", lambda: fdsup.acceptor_pid() != acceptor)
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_an_upgrade_brings_another_keeper_if_its_program_is_another(self):
        fdsup = self.with_own_programs(free_port())
        first = self.keeper(fdsup)
        self.upgrade(fdsup)
        self.assertEqual(self.keeper(fdsup), first)
        os.utime(os.path.join(fdsup.directory, "fdsup-keeper"))
        self.upgrade(fdsup)
        self.wait_keeper(fdsup, first)

    def upgrade(self, fdsup):
        """It is told to try again as long as the reload is under way with which it began."""
        def is_done():
            code, _, error = fdsup.ctl("upgrade")
            self.assertTrue(code == 0 or "a reload is under way" in error, error)
            return code == 0
        wait_until("the upgrade", is_done)

    def test_upgrade_after_a_crash_and_a_crash_after_an_upgrade(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 1; max = 1; };"))
        pids = fdsup.worker_pids("cat")
        with Load(port) as load:
            for _ in range(3):
                self.kill(fdsup)
                load.wait_served(5)
                fdsup.start()
                self.upgrade(fdsup)
                load.wait_served(5)
        self.assertEqual((load.lost, load.refused), (0, 0))
        self.assertEqual(fdsup.worker_pids("cat"), pids)

    # -- the file

    def test_a_file_that_has_changed_meanwhile_is_reloaded(self):
        first, second, third = free_port(), free_port(), free_port()
        fdsup = self.fdsup(self.cat(first, name="a") + self.cat(second, name="b"))
        self.assertEqual(self.talk(second, b"x"), b"x")
        self.kill(fdsup)
        fdsup.write(self.cat(first, name="a") + self.cat(third, name="c"))
        self.assertEqual(self.talk(second, b"x"), b"x")
        fdsup.start()
        fdsup.wait_log("reloaded: 2 of")
        self.assertEqual(self.talk(first, b"x") + self.talk(third, b"x"), b"xx")
        wait_until("the old port is closed", lambda: not self.is_bound(second))

    def test_a_wrong_file_starts_nothing_and_ends_nothing(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        self.assertEqual(self.talk(port, b"x"), b"x")
        with open(fdsup.path) as f:
            right = f.read()
        self.kill(fdsup)
        fdsup.write("nonsense")
        self.assertEqual(run("fdsup", "-c", fdsup.path)[0], 1)
        self.assertEqual(self.talk(port, b"x"), b"x")
        with open(fdsup.path, "w") as f:
            f.write(right)
        fdsup.start()
        fdsup.wait_log("has taken over")

    # -- two of them

    def test_two_are_impossible_with_a_living_first_one_and_after_a_dead_one(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        for _ in range(2):
            code, _, error = run("fdsup", "-c", fdsup.path)
            self.assertEqual(code, 1)
            self.assertIn("runs already", error)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
                s.connect(os.path.join(fdsup.runtime_dir, "keeper.sock"))
                s.settimeout(LONG)
                self.assertEqual(s.recv(100), b"")  # nothing for anybody while fdsup lives
            self.kill(fdsup)
            fdsup.start()
        self.assertEqual(self.talk(port, b"x"), b"x")

    # -- the end of it

    def test_end_ends_what_a_dead_one_has_left(self):
        fdsup, ports, unix = self.every_type()
        for port in ports.values():
            self.assertEqual(self.talk(port, b"x"), b"x")
        code, _, error = run("fdsup", "-c", fdsup.path, "--end")
        self.assertEqual(code, 1)
        self.assertIn("runs already", error)
        self.reaping()
        self.kill(fdsup)
        code, output, error = run("fdsup", "-c", fdsup.path, "--end")
        self.assertEqual(code, 0, error)
        self.assertRegex(output, r"^[1-9]\d* processes ended\n$")
        wait_until("nothing is left", lambda: not children())
        self.assertEqual(os.listdir(fdsup.runtime_dir), [])
        self.assertFalse(os.path.exists(unix))
        self.assertEqual(run("fdsup", "-c", fdsup.path, "--end")[1], "0 processes ended\n")

    def test_end_ends_a_keeper_that_hangs(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        keeper = next(p for p, n in children(fdsup.pid).items() if n == "fdsup-keeper")
        self.reaping()
        self.kill(fdsup)
        os.kill(keeper, signal.SIGSTOP)
        code, _, error = run("fdsup", "-c", fdsup.path, "--end")
        self.assertEqual(code, 0, error)
        wait_until("nothing is left", lambda: not children())
        self.assertFalse(self.is_bound(port))

    def test_with_its_keeper_killed_as_well_the_next_ends_the_rest_and_starts_anew(self):
        self.reaping()
        port = free_port()
        fdsup = self.fdsup(self.cat(port) + 'd = { type = "daemon"; command = [ "/bin/sleep", "100000" ]; };')
        daemon, = fdsup.worker_pids("d")
        keeper, = [p for p, n in children(fdsup.pid).items() if n == "fdsup-keeper"]
        fdsup.signal(signal.SIGSTOP)
        os.kill(keeper, signal.SIGKILL)
        fdsup.signal(signal.SIGKILL)
        fdsup.wait()
        fdsup.start()
        fdsup.wait_log("that an fdsup before left behind")
        self.assertFalse(is_running(daemon))
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(len(fdsup.worker_pids("d")), 1)

    def test_a_state_that_cannot_be_read_is_refused_and_all_starts_anew(self):
        """The keeper's records are replaced by nonsense: by whom else than us, who are the same user."""
        self.reaping()
        port = free_port()
        fdsup = self.fdsup(self.cat(port) + 'd = { type = "daemon"; command = [ "/bin/sleep", "100000" ]; };')
        daemon, = fdsup.worker_pids("d")
        self.kill(fdsup)
        self.spoil(fdsup)
        fdsup.start()
        fdsup.wait_log("what runs cannot be taken over: .*readable from format 99 on")
        fdsup.wait_log("everything is started anew")
        self.assertFalse(is_running(daemon))
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(len(fdsup.worker_pids("d")), 1)

    def spoil(self, fdsup):
        """Takes over as an fdsup would, puts back a state of a later version, and dies."""
        import struct
        head = "IIIIII64s"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(os.path.join(fdsup.runtime_dir, "keeper.sock"))
            s.settimeout(LONG)
            records = []
            while True:
                data, fds, _, _ = socket.recv_fds(s, 65536, 253)
                kind, number, last, length, n_fds, pid, key = struct.unpack(head, data[:struct.calcsize(head)])
                if kind == 9:
                    break
                if kind == 1:
                    records.append((key, data[struct.calcsize(head):], list(fds)))

            def send(kind, key=b"", text=b"", fds=()):
                data = struct.pack(head, kind, 0, 1, len(text), len(fds), 0, key) + text
                socket.send_fds(s, [data], fds) if fds else s.send(data)
            send(4)
            for key, text, fds in records:
                if key.startswith(b"fdsup\0"):
                    text, n = re.subn(rb'"(format|readable_from)":1\b', rb'"\1":99', text)
                    self.assertEqual(n, 2)
                send(1, key, text, fds)
                for fd in fds:
                    os.close(fd)
            send(5)

    def test_a_start_that_fails_ends_nothing_and_the_next_one_takes_over(self):
        fdsup = self.unstarted()
        port, folder = free_port(), os.path.join(fdsup.directory, "log")
        os.mkdir(folder)
        fdsup.write(self.cat(port, "workers = { min = 1; max = 1; };"), 'log = { to = "%s/fdsup.log"; };' % folder)
        fdsup.start()
        pids, keeper = fdsup.worker_pids("cat"), self.keeper(fdsup)
        self.kill(fdsup)

        def fails(why):
            with self.assertRaisesRegex(AssertionError, why):
                fdsup.start()
            fdsup.wait()
            self.assertIn("its services go on", fdsup.ctl("status")[1])
        path = os.path.join(folder, "fdsup.log")
        os.rename(path, path + ".away")
        os.mkdir(path)
        fails("cannot open the log file")
        os.rmdir(path)
        os.rename(path + ".away", path)
        os.kill(keeper, signal.SIGSTOP)
        fails("nothing was started|does not hand over|did not start")
        os.kill(keeper, signal.SIGCONT)
        fdsup.start()
        self.assertEqual(fdsup.worker_pids("cat"), pids)
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_descriptors_do_not_grow(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "workers = { min = 1; max = 1; };"))
        own, kept = [], []

        def keeper():
            return next(p for p, n in children().items() if n == "fdsup-keeper")
        for i in range(8):
            self.assertEqual(self.talk(port, b"x"), b"x")
            self.kill(fdsup)
            fdsup.start()
            fdsup.wait_log("reloaded", i + 1)
            self.assertEqual(self.talk(port, b"x"), b"x")
            own.append(count_descriptors(fdsup.pid))
            kept.append(count_descriptors(keeper()))  # perhaps while it has two of everything
        wait_until("no more than before", lambda: count_descriptors(keeper()) <= min(kept[:4]))
        self.assertLessEqual(max(own[4:]), max(own[:4]))


if __name__ == "__main__":
    main()

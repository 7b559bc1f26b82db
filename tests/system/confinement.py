"""What the programs of a service are confined by, and that fdsup itself works on all the same.

The programs under test are shells that print what they find, so that the kernel tells what holds.
"""
import ctypes
import os
import re
import shutil
import socket
import subprocess
import unittest

from support import (IS_ROOT, Test, as_nobody, children, free_port, is_running, main, needs_root,
                     reap_orphans, run, wait_until)

NAMES = {"nofile": "Max open files", "nproc": "Max processes", "as": "Max address space", "cpu": "Max cpu time",
         "core": "Max core file size", "data": "Max data size", "fsize": "Max file size",
         "memlock": "Max locked memory", "stack": "Max stack size"}


# A sanitized fdsup-worker looks for leaks by ptrace(2), which no sandbox allows, and in /proc.
NO_LEAKS = 'environment = "ASAN_OPTIONS=detect_leaks=0";'


def limits_in(text):
    """{name: (soft, hard)} of /proc/PID/limits."""
    return {name: tuple(re.search("^%s +([0-9a-z]+) +([0-9a-z]+)" % words, text, re.M).groups())
            for name, words in NAMES.items()}


class Confined(Test):
    def exec(self, keys, script, **keywords):
        """What a command prints that runs the script."""
        port = free_port()
        fdsup = self.fdsup(self.service(port, keys, script), **keywords)
        return self.talk(port).decode(), fdsup

    def service(self, port, keys, script, name="sh"):
        return '%s = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c", "%s" ]; %s };' % (
            name, port, script, keys)

    def daemon(self, keys, script, **keywords):
        """What a daemon writes to the log that runs the script, and then sleeps."""
        fdsup = self.fdsup('sh = { command = [ "/bin/sh", "-c", "(%s) 2>&1; echo done; exec sleep 1000" ]; %s };'
                           % (script, keys), **keywords)
        fdsup.wait_log(r"sh: stderr: done$")
        return "\n".join(re.findall(r"sh: stderr: (.*)", fdsup.log())[:-1]) + "\n", fdsup

    def both(self, keys, script, **keywords):
        return self.exec(keys, script, **keywords)[0], self.daemon(keys, script, **keywords)[0]

    def jail(self):
        """A root directory with a few programs and what they need; nobody may write to it."""
        fdsup = self.unstarted()
        root = os.path.join(fdsup.directory, "jail")
        for program in ("/bin/cat", "/bin/sleep", "/bin/sh"):
            libraries = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
            for path in [program, *re.findall(r"(/\S+) \(0x", libraries)]:
                os.makedirs(root + os.path.dirname(path), 0o755, exist_ok=True)
                shutil.copy(path, root + path)
        for name in ("only-here", "home"):
            os.makedirs(os.path.join(root, name))
        return root

    def refused(self, services, *patterns, prefix=()):
        """fdsup --check refuses the file, and says so."""
        fdsup = self.unstarted(services)
        code, _, error = run("fdsup", "-c", fdsup.path, "--check", prefix=prefix)
        self.assertEqual(code, 1, error)
        for pattern in patterns:
            self.assertRegex(error, pattern)


class Limits(Confined):
    KEYS = ('limits = { nofile = "64:128"; nproc = "500:600"; as = "512M:1G"; cpu = "50s:60s"; core = 0;'
            ' data = "256M"; fsize = "1M"; memlock = "32K"; stack = "2M:4M"; };')
    EXPECTED = {"nofile": ("64", "128"), "nproc": ("500", "600"), "as": ("536870912", "1073741824"),
                "cpu": ("50", "60"), "core": ("0", "0"), "data": ("268435456", "268435456"),
                "fsize": ("1048576", "1048576"), "memlock": ("32768", "32768"),
                "stack": ("2097152", "4194304")}

    def test_a_command_and_a_daemon_have_the_limits_of_the_file(self):
        for found in self.both(self.KEYS, "cat /proc/self/limits"):
            self.assertEqual(limits_in(found), self.EXPECTED)

    def test_fdsup_worker_keeps_its_own(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port, self.KEYS, "echo served"))
        self.assertEqual(self.talk(port), b"served\n")
        pid = fdsup.workers("sh")[0]["pid"]
        with open("/proc/%d/limits" % pid) as f:
            found = limits_in(f.read())
        with open("/proc/%d/limits" % fdsup.pid) as f:
            self.assertEqual(found, limits_in(f.read()))

    def test_without_the_key_all_but_the_descriptors_is_as_fdsup_has_it(self):
        with open("/proc/self/limits") as f:
            own = limits_in(f.read())
        own["nofile"] = (str(min(1024, int(own["nofile"][1]))), own["nofile"][1])
        for found in self.both("", "cat /proc/self/limits"):
            self.assertEqual(limits_in(found), own)

    def test_a_command_above_its_limit_ends_and_the_next_is_served(self):
        port = free_port()
        fdsup = self.fdsup(self.service(
            port, "limits = { cpu = 1; fsize = 100; };",
            "read what; echo begun; case $what in spin) while :; do :; done;; esac; echo done"))
        connection = self.connect(port)
        connection.sendall(b"spin\n")
        self.assertEqual(self.read_all(connection), b"begun\n")
        fdsup.wait_log(r": END .* status=signal:(9|24)|: END .*(KILL|XCPU)")
        self.assertEqual(self.talk(port, b"rest\n"), b"begun\ndone\n")
        self.assertEqual(fdsup.status("sh")["deaths"], 0)

    @needs_root
    def test_a_limit_on_processes_stops_neither_the_worker_nor_the_command_itself(self):
        # The user has more processes than that already: those of these very services.
        keys = 'user = "daemon"; limits = { nproc = 0; };'
        script = "echo alive; /bin/true; echo after"
        found, fdsup = self.exec(keys, script)
        self.assertRegex(found, "^alive\n")
        self.assertNotIn("after", found)  # it could not fork
        # Started as a daemon, too; where it says that it cannot fork.
        fdsup = self.fdsup('d = { command = [ "/bin/sh", "-c", "exec sleep 1000" ]; %s };' % keys)
        fdsup.wait_state("d", "UP")

    @needs_root
    def test_hard_limits_above_those_of_fdsup_are_raised_by_root(self):
        prefix = ["prlimit", "--memlock=65536:65536"]
        if not self.has_sys_resource():
            self.refused(self.service(free_port(), 'limits = { memlock = "128K"; };', "true"),
                         "limits.memlock: .*write at most 65536", prefix=prefix)
            self.skipTest("root may not raise limits here (CAP_SYS_RESOURCE)")
        for found in self.both('user = "nobody"; limits = { memlock = "96K:128K"; };',
                               "cat /proc/self/limits", prefix=prefix):
            self.assertEqual(limits_in(found)["memlock"], ("98304", "131072"))

    def has_sys_resource(self):
        with open("/proc/self/status") as f:
            return int(re.search(r"CapEff:\s*(\w+)", f.read())[1], 16) >> 24 & 1

    @needs_root
    def test_without_root_a_limit_above_the_own_one_is_refused_at_load(self):
        self.refused(self.service(free_port(), "limits = { fsize = 2000000; };", "true"),
                     r"fdsup\.conf:4: services\.sh\.limits\.fsize: .*write at most 1000000",
                     prefix=["prlimit", "--fsize=1000000:1000000", *as_nobody()])

    @needs_root
    def test_a_limit_that_cannot_be_set_starts_nothing_and_says_the_key(self):
        fdsup = self.unstarted('d = { command = [ "/bin/sleep", "1000" ]; limits = { fsize = "1M"; }; };',
                               prefix=as_nobody())
        os.chown(fdsup.directory, 65534, 65534)
        fdsup.start()
        fdsup.wait_state("d", "UP")
        # What was fine when the file was loaded is not any more.
        subprocess.run([*as_nobody(), "prlimit", "--pid=%d" % fdsup.pid, "--fsize=1000:1000"], check=True)
        os.kill(fdsup.workers("d")[0]["pid"], 9)
        fdsup.wait_log(r"d: cannot start /bin/sleep: limits\.fsize \(write at most the hard limit of fdsup\): "
                       r"Operation not permitted; next try in")
        self.assertIn("limits.fsize", fdsup.ctl("status", "d")[1])


def status_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(re.findall(r"^(\w+):[ \t]*(.*)$", f.read(), re.M))


SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NET_BIND_SERVICE, SYS_CHROOT, CHOWN = 1 << 10, 1 << 18, 1 << 0


class Rights(Confined):
    """Capabilities, and another root directory."""

    def sets(self, pid):
        status = status_of(pid)
        return {name: int(status[name], 16) for name in SETS}

    # -- capabilities

    def kept(self, keys, **keywords):
        nap = "command = [ \"/bin/sleep\", \"1000\" ];"
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "cat"; workers = { max = 1; }; %s }; nap = { %s %s };'
                           % (port, keys, nap, keys), **keywords)
        connection = self.connect(port)
        connection.sendall(b"x")
        self.assertEqual(connection.recv(1), b"x")
        fdsup.wait_state("nap", "UP")
        worker = fdsup.workers("cat")[0]["pid"]
        return [worker, *children(worker), fdsup.workers("nap")[0]["pid"]]

    @needs_root
    def test_a_user_has_exactly_the_capabilities_of_the_file(self):
        for keys, bits in (('[ "CAP_NET_BIND_SERVICE", "chown" ]', NET_BIND_SERVICE | CHOWN), ("[]", 0)):
            for user in ("nobody", "root"):
                for pid in self.kept('user = "%s"; capabilities = %s;' % (user, keys)):
                    self.assertEqual(self.sets(pid), dict.fromkeys(SETS, bits))
                    self.assertEqual(status_of(pid)["Uid"].split()[0], "0" if user == "root" else "65534")

    @needs_root
    def test_a_low_port_without_root(self):
        script = ("import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1);"
                  " s.bind(('127.0.0.1', 1021)); print('bound', flush=True); s.close(); input()")
        for keys, expected in (("", "PermissionError"), ('capabilities = "net_bind_service";', "bound")):
            fdsup = self.fdsup(r'd = { command = [ "/usr/bin/python3", "-c", "%s" ]; user = "nobody"; %s };'
                               % (script, keys))
            fdsup.wait_log(r"d: stderr: .*%s" % expected)

    @needs_root
    def test_without_root_only_what_fdsup_has_itself_can_be_given(self):
        some = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
        self.refused('d = { command = "cat"; capabilities = [ "net_bind_service", "net_raw" ]; };',
                     r'services\.d\.capabilities: fdsup has not got "net_raw" itself', prefix=some)
        fdsup = self.unstarted('d = { command = "/bin/sleep 1000"; capabilities = "net_bind_service"; };'
                               ' none = { command = "/bin/sleep 1000"; capabilities = []; };', prefix=some)
        os.chown(fdsup.directory, 65534, 65534)
        fdsup.start()
        for name, bits in (("d", NET_BIND_SERVICE), ("none", 0)):
            fdsup.wait_state(name, "UP")
            pid = fdsup.workers(name)[0]["pid"]
            sets = self.sets(pid)
            del sets["CapBnd"]  # which it may not change; instead:
            self.assertEqual(sets, dict.fromkeys(sets, bits))
            self.assertEqual(status_of(pid)["NoNewPrivs"], "1")

    # -- chroot

    def enclosed(self, keys):
        """The pids of a worker, its command and a daemon, and what the command says of where it is."""
        port = free_port()
        keys = 'chroot = "%s"; %s %s' % (self.jail(), NO_LEAKS, keys)
        fdsup = self.fdsup('sh = { address = "127.0.0.1"; port = %d; command = [ "sh", "-c",'
                           ' "echo /*; cd ..; cd ..; cd ..; echo *; read x" ]; workers = { max = 1; }; %s };'
                           ' nap = { command = [ "/bin/sleep", "1000" ]; %s };' % (port, keys, keys))
        connection = self.connect(port)
        said = b""
        while said.count(b"\n") < 2:
            said += connection.recv(1000)
        fdsup.wait_state("nap", "UP")
        worker = fdsup.workers("sh")[0]["pid"]
        return [worker, *children(worker), fdsup.workers("nap")[0]["pid"]], said.decode(), fdsup

    @needs_root
    def test_a_command_and_a_daemon_are_below_their_root_with_nothing_to_leave_it_by(self):
        for user in ("nobody", "daemon"):
            pids, said, fdsup = self.enclosed('user = "%s"; directory = "/home"; stderr = "null";' % user)
            self.assertRegex(said, r"^/bin /home /lib\S* .*/only-here.*\nbin home ")
            self.assertEqual(len(pids), 3)
            for pid in pids:
                self.assertRegex(os.readlink("/proc/%d/root" % pid), r"/jail$")
                sets = self.sets(pid)
                del sets["CapBnd"]
                self.assertEqual(sets, dict.fromkeys(sets, 0))
            self.assertRegex(os.readlink("/proc/%d/cwd" % pids[2]), r"/jail/home$")
            self.assertEqual(sorted(map(int, os.listdir("/proc/%d/fd" % pids[1]))), [0, 1, 2])
            self.assertEqual(fdsup.stop(), 0)

    @needs_root
    def test_capabilities_below_a_root_are_those_of_the_file(self):
        for keys, bits in (('[ "net_bind_service" ]', NET_BIND_SERVICE), ("[]", 0)):
            for user in ("nobody", "root"):
                for pid in self.enclosed('user = "%s"; capabilities = %s;' % (user, keys))[0]:
                    self.assertEqual(self.sets(pid), dict.fromkeys(SETS, bits))

    @needs_root
    def test_root_below_a_root_keeps_its_capabilities(self):
        own = self.sets(os.getpid())["CapEff"]
        for pid in self.enclosed("")[0]:
            self.assertEqual(self.sets(pid)["CapEff"], own)

    @needs_root
    def test_a_root_that_goes_away_starts_nothing_and_comes_back(self):
        root = self.jail()
        port = free_port()
        fdsup = self.fdsup('cat = { address = "127.0.0.1"; port = %d; command = "cat"; chroot = "%s"; user = "nobody"; %s'
                           ' idle_timeout = 0.1; restart_delay = 0.05; restart_delay_max = 0.1; };'
                           % (port, root, NO_LEAKS))
        os.rename(root, root + ".away")
        connection = self.connect(port)
        connection.sendall(b"x")
        connection.shutdown(socket.SHUT_WR)
        fdsup.wait_log(r"cat: .*--chroot %s: No such file or directory; it must be a folder" % root)
        os.rename(root + ".away", root)
        self.assertEqual(self.read_all(connection), b"x")

    @needs_root
    def test_a_bad_root_is_refused_at_load(self):
        root = self.jail()
        service = self.service(free_port(), 'chroot = "%s"; user = "nobody";' % root, "true")
        self.refused(service, "services.sh.chroot: only root", prefix=as_nobody())
        os.unlink(root + "/bin/sh")
        self.refused(service, r'services.sh.command: "/bin/sh" in the chroot: No such file or directory')
        os.chmod(root, 0o777)
        self.refused(service, r"services.sh.chroot: the user of the service may write to")


def landlock_level():
    level = ctypes.CDLL(None).syscall(444, None, 0, 1)
    return max(level, 0)


needs_filters = unittest.skipUnless("Seccomp" in status_of(os.getpid()), "this kernel has no filters of system calls")
needs_landlock = unittest.skipUnless(landlock_level() >= 2, "this kernel has no Landlock that would do")


@needs_filters
class Sandbox(Confined):
    def keys(self, sandbox, more=""):
        return 'sandbox = "%s"; %s %s' % (sandbox, NO_LEAKS, more)

    def test_commands_workers_and_daemons_are_in_it(self):
        for sandbox in ("basic", "strict"):
            for found in self.both(self.keys(sandbox),
                                   "while read name value; do echo $name $value; done < /proc/self/status"):
                status = dict(re.findall(r"^(\w+): (.*)$", found, re.M))
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
        port = free_port()
        fdsup = self.fdsup(self.service(port, self.keys("strict"), "echo served"))
        self.assertEqual(self.talk(port), b"served\n")
        self.assertEqual(status_of(fdsup.workers("sh")[0]["pid"])["Seccomp"], "2")

    def test_no_descriptor_of_it_is_passed_on(self):
        for found in self.both(self.keys("strict"), "ls /proc/self/fd"):
            self.assertEqual(found.split(), ["0", "1", "2", "3"])  # 3 is the folder that ls reads

    def test_fdsup_worker_serves_many_is_replaced_and_drains_in_it(self):
        port = free_port()
        keys = self.keys("strict", "workers = { min = 1; };")
        fdsup = self.fdsup(self.service(port, keys, "read x; echo $x"))
        for i in range(30):
            self.assertEqual(self.talk(port, b"%d\n" % i), b"%d\n" % i)
        waiting = self.connect(port)
        waiting.sendall(b"be")
        fdsup.wait_status("sh", lambda s: s["connections"]["used"] == 1)
        worker = fdsup.workers("sh")[0]["pid"]
        fdsup.write(self.service(port, keys + ' description = "x"; nice = 1;', "read x; echo new $x"))
        fdsup.order("reload")
        self.assertEqual(self.talk(port, b"a\n"), b"new a\n")
        waiting.sendall(b"fore\n")
        self.assertEqual(self.read_all(waiting), b"before\n")
        wait_until("the old one has gone", lambda: worker not in fdsup.worker_pids("sh"))
        os.kill(fdsup.worker_pids("sh")[0], 9)
        self.assertEqual(self.talk(port, b"b\n"), b"new b\n")
        fdsup.wait_log(r": END .* status=0")
        self.assertEqual(fdsup.stop(), 0)

    def test_strict_has_no_network_unless_the_file_says_so(self):
        script = "import socket; socket.socket(socket.AF_UNIX); socket.socket(); print('opened')"
        port = free_port()
        service = ('py = { address = "127.0.0.1"; port = %d; stderr = "connection"; %s'
                   ' command = [ "/usr/bin/python3", "-c", "%s" ]; };')
        fdsup = self.fdsup(service % (port, self.keys("strict"), script))
        self.assertIn(b"Address family not supported", self.talk(port))
        fdsup.write(service % (port, self.keys("strict", "sandbox_network = true;"), script))
        fdsup.order("reload")
        self.assertEqual(self.talk(port), b"opened\n")

    @needs_landlock
    def test_files(self):
        fdsup = self.unstarted()
        work, data = (os.path.join(fdsup.directory, name) for name in ("work", "data"))
        for path in (work, data):
            os.mkdir(path)
            os.chmod(path, 0o777)
        script = ("for f in %s %s %s /etc; do if ( : > $f/new ) 2> /dev/null; then echo yes; else echo no; fi; done"
                  % (work, data, fdsup.directory))
        for found in self.both(self.keys("basic", 'directory = "%s";' % work), script):
            self.assertEqual(found.split(), ["yes", "yes", "yes" if IS_ROOT else "no", "no"])
        strict = self.keys("strict", 'directory = "%s"; sandbox_write = "%s";' % (work, data))
        for found in self.both(strict, script):
            self.assertEqual(found.split(), ["yes", "yes", "no", "no"])

    @needs_landlock
    def test_a_command_elsewhere_can_be_executed_and_what_it_reads_is_named(self):
        fdsup = self.unstarted()
        path = fdsup.script("tool", "read x < %s/secret || echo none; echo $x" % fdsup.directory)
        with open(os.path.join(fdsup.directory, "secret"), "w") as f:
            f.write("it\n")
        port = free_port()
        service = 'sh = { address = "127.0.0.1"; port = %d; command = "%s"; stderr = "null"; %s };'
        fdsup = self.fdsup(service % (port, path, self.keys("strict")))
        self.assertEqual(self.talk(port), b"none\n\n")
        fdsup.write(service % (port, path, self.keys(
            "strict", 'sandbox_read = "%s/secret";' % os.path.dirname(path))))
        fdsup.order("reload")
        self.assertEqual(self.talk(port), b"it\n")

    @needs_landlock
    def test_who_dies_at_once_in_it_is_told_which_keys_widen_it(self):
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "script")
        with open(path, "w") as f:
            f.write("sleep 1000\n")
        service = 'd = { command = [ "/bin/sh", "%s" ]; %s };'
        fdsup = self.fdsup(service % (path, self.keys("strict")))
        hint = "sandbox_read, sandbox_write and sandbox_network give it what it may lack"
        fdsup.wait_log("d: it runs with sandbox = \"strict\": " + hint)
        fdsup.wait_status("d", lambda s: any(hint in line for line in s["explanation"]), "the hint")
        self.assertIn(hint, fdsup.ctl("status")[1])
        self.assertIn(hint, " ".join(fdsup.ctl("explain", "d")[1].split()))
        fdsup.wait_status("d", lambda s: s["deaths"] >= 2, "two deaths")
        self.assertEqual(fdsup.count_log(hint), 1)
        fdsup.write(service % (path, self.keys("strict", 'sandbox_read = "%s";' % path)))
        fdsup.order("reload")
        fdsup.wait_state("d", "UP")

    @needs_landlock
    def test_commands_that_die_at_once_in_it_are_told_of_in_status(self):
        port = free_port()
        fdsup = self.fdsup('s = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "/tmp/absent" ]; %s };'
                           % (port, self.keys("strict")))
        for _ in range(3):
            self.talk(port)
        service = fdsup.wait_status("s", lambda s: not s["healthy"], "DEGRADED")
        self.assertIn("sandbox_read, sandbox_write and sandbox_network", service["explanation"][1])

    @needs_landlock
    def test_a_folder_that_is_gone_starts_nothing_and_says_the_key(self):
        data = os.path.join(self.unstarted().directory, "data")
        os.mkdir(data)
        fdsup = self.fdsup('d = { command = "/bin/sleep 1000"; %s };'
                           % self.keys("strict", 'sandbox_write = "%s";' % data))
        fdsup.wait_state("d", "UP")
        os.rmdir(data)
        os.kill(fdsup.workers("d")[0]["pid"], 9)
        fdsup.wait_log(r"d: cannot start /bin/sleep: sandbox_write: No such file or directory; next try in")
        os.mkdir(data)
        fdsup.wait_state("d", "UP")

    @needs_root
    def test_all_of_it_at_once_below_a_root_as_another_user(self):
        root = self.jail()
        os.chmod(root + "/home", 0o777)
        keys = self.keys("strict", 'chroot = "%s"; user = "nobody"; directory = "/home"; stderr = "null";'
                         ' capabilities = [ "net_bind_service" ]; limits = { nofile = 20; core = 0; };' % root)
        script = "echo /*; ( : > new ) && echo made; ( : > /only-here/new ) || echo refused; read x"
        port = free_port()
        fdsup = self.fdsup('sh = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c", "%s" ]; workers = { max = 1; }; %s };'
                           ' nap = { command = "/bin/sleep 1000"; %s };' % (port, script, keys, keys))
        connection = self.connect(port)
        said = b""
        while b"refused" not in said:
            piece = connection.recv(1000)
            self.assertTrue(piece, said)
            said += piece
        self.assertRegex(said.decode(), r"^/\*\nmade\nrefused")
        fdsup.wait_state("nap", "UP")
        worker = fdsup.workers("sh")[0]["pid"]
        pids = [*children(worker), fdsup.workers("nap")[0]["pid"]]
        self.assertEqual(len(pids), 2)
        for pid in pids:
            status = status_of(pid)
            self.assertEqual((status["Seccomp"], status["Uid"].split()), ("2", ["65534"] * 4))
            self.assertEqual({int(status[name], 16) for name in SETS}, {NET_BIND_SERVICE})
            self.assertEqual(sorted(map(int, os.listdir("/proc/%d/fd" % pid))), [0, 1, 2])
            with open("/proc/%d/limits" % pid) as f:
                self.assertEqual(limits_in(f.read())["nofile"], ("20", "20"))
            with open("/proc/%d/environ" % pid) as f:
                names = {v.split("=")[0] for v in f.read().split("\0")[:-1]}
            self.assertEqual(names - CONNECTION_NAMES, {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "FDSUP_SERVICE",
                                                        "FDSUP_INSTANCE", "ASAN_OPTIONS"})

    @needs_root
    def test_without_root(self):
        fdsup = self.unstarted('sh = { address = "127.0.0.1"; port = %d; command = "cat"; %s };'
                               % (self.port(), self.keys("strict")), prefix=as_nobody())
        os.chown(fdsup.directory, 65534, 65534)
        fdsup.start()
        self.assertEqual(self.talk(self.chosen, b"x"), b"x")

    def port(self):
        self.chosen = free_port()
        return self.chosen


def cgroup_top():
    """The folder of cgroup v2 in which this test runs, if it may make groups in it."""
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f if " - cgroup2 " in line and line.split()[3] == "/"]
    with open("/proc/self/cgroup") as f:
        own = next((line[3:].rstrip("\n") for line in f if line.startswith("0::")), None)
    if not points or own is None:
        return None
    path = points[0] + own.rstrip("/")
    return path if os.access(path, os.W_OK) and os.access(path + "/cgroup.procs", os.W_OK) else None


CGROUP_TOP = cgroup_top()


@unittest.skipUnless(CGROUP_TOP, "no cgroup v2 that could be divided")
class Cgroup(Confined):
    """Each fdsup in a group of its own, which is given to it to divide."""

    def setUp(self):
        super().setUp()
        self.groups = []

    def group(self, *needed):
        """A new group, with these controllers in it; without them the test is skipped."""
        with open(CGROUP_TOP + "/cgroup.controllers") as f:
            if not set(needed) <= set(f.read().split()):
                self.skipTest("no controllers: %s" % " ".join(needed))
        for name in needed:
            try:
                with open(CGROUP_TOP + "/cgroup.subtree_control", "w") as f:
                    f.write("+" + name)
            except OSError as error:
                self.skipTest("cannot enable %s: %s" % (name, error))
        path = "%s/test-%d-%d" % (CGROUP_TOP, os.getpid(), len(self.groups))
        os.mkdir(path)
        self.groups.append(path)
        return path

    def into(self, path):
        return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', path]

    def tearDown(self):
        super().tearDown()
        for path in self.groups:
            wait_until("the group is empty", lambda: not self.members(path))
            for name in self.parts(path):
                os.rmdir(os.path.join(path, name))
            os.rmdir(path)

    def members(self, path):
        with open(path + "/cgroup.procs") as f:
            return sorted(int(pid) for pid in f.read().split())

    def read(self, path, name):
        with open(os.path.join(path, name)) as f:
            return f.read()

    def values(self, path):
        return [self.read(path, name) for name in ("memory.max", "pids.max", "cpu.max")]

    def parts(self, path):
        return sorted(name for name in os.listdir(path) if os.path.isdir(os.path.join(path, name)))

    def test_all_processes_of_a_service_are_in_its_group_which_goes_with_it(self):
        group, port = self.group(), free_port()
        services = ('cat = { address = "127.0.0.1"; port = %d; command = "cat"; cgroup = { own = true; };'
                    ' workers = { max = 1; }; };'
                    ' nap = { command = "/bin/sleep 1000"; cgroup = { own = true; }; };'
                    ' free = { command = "/bin/sleep 1000"; };' % port)
        fdsup = self.fdsup(services, prefix=self.into(group))
        connection = self.connect(port)
        connection.sendall(b"x")
        self.assertEqual(connection.recv(1), b"x")
        fdsup.wait_state("nap", "UP")
        fdsup.wait_state("free", "UP")
        names = ["fdsup.%d.cat" % fdsup.pid, "fdsup.%d.nap" % fdsup.pid]
        self.assertEqual(self.parts(group), names)
        worker = fdsup.workers("cat")[0]["pid"]
        self.assertEqual(self.members(group + "/" + names[0]), sorted([worker, *children(worker)]))
        self.assertEqual(self.members(group + "/" + names[1]), fdsup.worker_pids("nap"))
        self.assertIn(fdsup.workers("free")[0]["pid"], self.members(group))
        fdsup.order("stop", "nap")
        self.assertEqual(self.parts(group), names[:1])
        fdsup.order("start", "nap")
        fdsup.wait_state("nap", "UP")
        self.assertEqual(self.parts(group), names)
        connection.close()
        self.assertEqual(fdsup.stop(), 0)
        self.assertEqual(self.parts(group), [])

    def test_no_descriptor_of_it_is_passed_on(self):
        for found in self.both("cgroup = { own = true; };", "ls /proc/self/fd", prefix=self.into(self.group())):
            self.assertEqual(found.split(), ["0", "1", "2", "3"])

    def hidden(self, what):
        """A daemon that leaves a process of another session behind, without an environment."""
        return ('d = { command = [ "/bin/sh", "-c", "env -i setsid /bin/sh -c \'%s\' & exec sleep 1000" ];'
                ' cgroup = { own = true; }; stop_timeout = 0.3; };' % what)

    def hidden_ones(self, group, fdsup):
        path = "%s/fdsup.%d.d" % (group, fdsup.pid)
        fdsup.wait_state("d", "UP")
        wait_until("both run", lambda: len(self.members(path)) == 2)
        return set(self.members(path)) - set(fdsup.worker_pids("d"))

    def test_a_process_that_hides_is_ended_with_its_service(self):
        for what in ("exec sleep 1000", "trap : TERM; while :; do read x < /dev/zero; done"):
            group = self.group()
            fdsup = self.fdsup(self.hidden(what), prefix=self.into(group))
            hidden = self.hidden_ones(group, fdsup)
            fdsup.order("stop", "d")
            self.assertEqual([pid for pid in hidden if is_running(pid)], [])
            self.assertEqual(self.parts(group), [])

    def test_a_process_that_hides_is_ended_when_its_daemon_dies(self):
        group = self.group()
        fdsup = self.fdsup(self.hidden("exec sleep 1000"), prefix=self.into(group))
        hidden = self.hidden_ones(group, fdsup)
        os.kill(fdsup.workers("d")[0]["pid"], 9)
        fdsup.wait_log("d: the daemon ended and left 1 process behind, which is ended now")
        wait_until("it is gone", lambda: not any(map(is_running, hidden)))

    def test_what_a_killed_fdsup_left_is_removed_by_the_next(self):
        group = self.group()
        service = 'nap = { command = "/bin/sleep 1000"; cgroup = { own = true; }; };'
        fdsup = self.fdsup(service, prefix=self.into(group))
        fdsup.wait_state("nap", "UP")
        before = self.parts(group)
        fdsup.process.kill()
        fdsup.wait()
        reap_orphans()
        self.assertEqual(self.parts(group), before)
        fdsup.start()
        fdsup.wait_state("nap", "UP")
        self.assertEqual(self.parts(group), ["fdsup.%d.nap" % fdsup.pid])

    def test_limits(self):
        group = self.group("memory", "pids", "cpu")
        keys = "cgroup = { memory_max = \"64M\"; pids_max = 20; cpu_max = 150; };"
        port = free_port()
        fdsup = self.fdsup(
            'cat = { address = "127.0.0.1"; port = %d; command = "cat"; %s };'
            ' nap = { command = "/bin/sleep 1000"; };' % (port, keys), prefix=self.into(group))
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_state("nap", "UP")
        own, path = (group + "/fdsup.%d" % fdsup.pid, group + "/fdsup.%d.cat" % fdsup.pid)
        self.assertEqual(self.values(path),
                         ["%d\n" % (64 << 20), "20\n", "150000 100000\n"])
        self.assertEqual(self.members(group), [])
        self.assertLessEqual({fdsup.pid, fdsup.acceptor_pid(), fdsup.workers("nap")[0]["pid"]},
                             set(self.members(own)))
        # Loaded again from where it is now; and a limit that goes is taken back.
        fdsup.write('cat = { address = "127.0.0.1"; port = %d; command = "cat"; cgroup = { pids_max = 21; }; };'
                    ' nap = { command = "/bin/sleep 1000"; };' % port)
        fdsup.order("reload")
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(self.values(path),
                         ["max\n", "21\n", "max 100000\n"])
        self.assertEqual(fdsup.stop(), 0)
        self.assertEqual(self.parts(group), [])
        self.assertEqual(self.read(group, "cgroup.subtree_control").split(), [])

    def test_all_of_it_is_known_after_an_upgrade(self):
        group = self.group()
        fdsup = self.fdsup('nap = { command = "/bin/sleep 1000"; cgroup = { own = true; }; };', prefix=self.into(group))
        fdsup.wait_state("nap", "UP")
        fdsup.order("upgrade")
        self.assertEqual(self.members(group + "/fdsup.%d.nap" % fdsup.pid), fdsup.worker_pids("nap"))
        fdsup.order("stop", "nap")
        self.assertEqual(self.parts(group), [])

    def test_limits_that_come_with_a_reload_move_what_runs(self):
        group, port = self.group("pids"), free_port()
        nap = 'nap = { command = "/bin/sleep 1000"; };'
        cat = 'cat = { address = "127.0.0.1"; port = %d; command = "cat"; %s };'
        fdsup = self.fdsup(nap + cat % (port, ""), prefix=self.into(group))
        fdsup.wait_state("nap", "UP")
        fdsup.write(nap + cat % (port, "cgroup = { pids_max = 5; };"))
        fdsup.order("reload")
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(self.members(group), [])
        self.assertIn(fdsup.workers("nap")[0]["pid"], self.members(group + "/fdsup.%d" % fdsup.pid))

    def test_too_many_processes(self):
        script = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 < /dev/null > /dev/null & done; echo all"
        found, fdsup = self.exec('cgroup = { pids_max = 5; }; stderr = "null";', script,
                                 prefix=self.into(self.group("pids")))
        self.assertNotIn("all", found)

    def test_out_of_memory_is_explained(self):
        group = self.group("memory")
        fdsup = self.fdsup('d = { command = [ "/usr/bin/python3", "-c", "x = bytearray(1 << 30)" ];'
                           ' cgroup = { memory_max = "32M"; }; restart_delay = 600; restart_delay_max = 600; };',
                           prefix=self.into(group))
        fdsup.wait_log(r"d: daemon \d+ was killed because the service had used up its memory \(cgroup.memory_max\)")
        fdsup.wait_state("d", "BACKOFF")
        self.assertIn("raise cgroup.memory_max", fdsup.ctl("status", "d")[1])

    def test_others_in_the_group_are_told(self):
        group = self.group("pids")
        other = subprocess.Popen(["sleep", "1000"])
        try:
            with open(group + "/cgroup.procs", "w") as f:
                f.write(str(other.pid))
            fdsup = self.fdsup('d = { command = "/bin/sleep 1000"; cgroup = { pids_max = 5; }; };',
                               prefix=self.into(group))
            fdsup.wait_log(r"d: cannot start /bin/sleep: cgroup \(other processes are in fdsup's own group; start it"
                           r" in one of its own.*Device or resource busy; next try in")
        finally:
            other.kill()
            other.wait()
        fdsup.wait_state("d", "UP")

    def test_what_cannot_be_had_is_refused_at_load(self):
        service = 'd = { command = "/bin/sleep 1000"; cgroup = { %s }; };'
        with open(CGROUP_TOP + "/cgroup.controllers") as f:
            available = f.read().split()
        for key, controller in (("memory_max = 9999999", "memory"), ("pids_max = 1", "pids"), ("cpu_max = 1", "cpu")):
            if controller not in available:
                self.refused(service % (key + ";"), r"services\.d\.cgroup\.%s: .*no controller \"%s\"; enable it"
                             % (key.split()[0], controller))
        if IS_ROOT:
            self.refused(service % "own = true;", r"services\.d\.cgroup\.own: .*Delegate=yes", prefix=as_nobody())
            self.refused(service % "own = true;", r"services\.d\.cgroup\.own: there is no cgroup v2 here",
                         prefix=["unshare", "--mount", "sh", "-c",
                                 'umount -l $(grep -w cgroup2 /proc/mounts | cut -d " " -f 2) && exec "$@"', "sh"])


CONNECTION_NAMES = {"PROTO", "REMOTE_HOST", "REMOTE_ADDR", "REMOTE_PORT", "LOCAL_ADDR", "LOCAL_PORT", "TCPREMOTEIP",
                    "TCPREMOTEPORT", "TCPLOCALIP", "TCPLOCALPORT"}


if __name__ == "__main__":
    main()

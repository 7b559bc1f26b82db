"""What the programs of a service are confined by, and that fdsup itself works on all the same.

The programs under test are shells that print what they find, so that the kernel tells what holds.
"""
import os
import re
import subprocess

from support import Test, as_nobody, free_port, main, needs_root, run

NAMES = {"nofile": "Max open files", "nproc": "Max processes", "as": "Max address space", "cpu": "Max cpu time",
         "core": "Max core file size", "data": "Max data size", "fsize": "Max file size",
         "memlock": "Max locked memory", "stack": "Max stack size"}


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
        return "\n".join(re.findall(r"sh: stderr: (.*)", fdsup.log())) + "\n", fdsup

    def both(self, keys, script, **keywords):
        return self.exec(keys, script, **keywords)[0], self.daemon(keys, script, **keywords)[0]

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
        prefix = ["prlimit", "--fsize=1000000:1000000"]
        if not self.has_sys_resource():
            self.refused(self.service(free_port(), "limits = { fsize = 2000000; };", "true"),
                         "limits.fsize: .*write at most 1000000", prefix=prefix)
            self.skipTest("root may not raise limits here (CAP_SYS_RESOURCE)")
        for found in self.both('user = "nobody"; limits = { fsize = "1500000:2000000"; };',
                               "cat /proc/self/limits", prefix=prefix):
            self.assertEqual(limits_in(found)["fsize"], ("1500000", "2000000"))

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


if __name__ == "__main__":
    main()

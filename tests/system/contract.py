"""What a command and a daemon find when they start (see "what a command finds" in the manual).

The programs under test are cat and sleep: they touch nothing they inherit, so that what /proc says of
them is what fdsup gave them.
"""
import os
import pwd
import re
import signal
import socket
import unittest

from support import (IS_ROOT, Test, as_nobody, free_port, main, needs_root, wait_until, with_files)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
O_NONBLOCK = os.O_NONBLOCK


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = unittest.skipUnless(has_ipv6(), "needs IPv6")


def read(pid, name):
    with open("/proc/%d/%s" % (pid, name), "rb") as f:
        return f.read().decode()


class Found:
    """All that a process has found, as /proc tells it."""

    def __init__(self, pid):
        # Its loader opens files before its first line runs; then it waits for input or for time.
        wait_until("it sleeps", lambda: read(pid, "stat").rpartition(")")[2].split()[0] == "S")
        directory = "/proc/%d/fd" % pid
        self.descriptors = {int(n): os.readlink("%s/%s" % (directory, n)) for n in os.listdir(directory)}
        self.flags = {n: int(re.search(r"flags:\s*(\d+)", read(pid, "fdinfo/%d" % n))[1], 8)
                      for n in self.descriptors}
        variables = read(pid, "environ").split("\0")[:-1]
        self.environment = dict(v.split("=", 1) for v in variables)
        self.has_doubles = len(variables) != len(self.environment)
        self.arguments = read(pid, "cmdline").split("\0")[:-1]
        self.status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", read(pid, "status"), re.M))
        stat = read(pid, "stat").rpartition(")")[2].split()
        self.group, self.session, self.nice = int(stat[2]), int(stat[3]), int(stat[16])
        self.directory = os.readlink("/proc/%d/cwd" % pid)
        self.root = os.readlink("/proc/%d/root" % pid)
        self.nofile = re.search(r"Max open files\s+(\d+)", read(pid, "limits"))[1]

    def lasting(self):
        """What must be the same for every connection and at any time."""
        changing = {"REMOTE_PORT", "TCPREMOTEPORT"}
        environment = {k: v for k, v in self.environment.items() if k not in changing}
        ids = [self.status[k] for k in ("Uid", "Gid", "Groups", "Umask", "CapEff", "CapPrm", "CapBnd",
                                        "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn")]
        return (sorted(self.descriptors), self.flags, environment, self.arguments, ids, self.nice,
                self.directory, self.root, self.nofile)


class Contract(Test):
    def service(self, port, keys="", name="cat", address='"127.0.0.1"', command='[ "/bin/cat" ]'):
        return '%s = { address = %s; port = %d; command = %s; log = [ "start", "end" ]; %s };' % (
            name, address, port, command, keys)

    def served(self, fdsup, port, host="127.0.0.1"):
        """A new connection and what its command found, while it waits for input."""
        before = fdsup.count_log(r": START ")
        connection = self.connect(port, host)
        pid = int(fdsup.wait_log(r": START .* pid=(\d+)", before + 1)[1])
        return connection, pid, Found(pid)

    def started(self, keys="", **keywords):
        """What the command of a service with these keys finds."""
        port = free_port()
        fdsup = self.fdsup(self.service(port, keys), **keywords)
        return self.served(fdsup, port)[2]

    def daemon(self, keys="", command='[ "/bin/sleep", "1000" ]', **keywords):
        fdsup = self.fdsup('nap = { command = %s; %s };' % (command, keys), **keywords)
        fdsup.wait_state("nap", "UP")
        return Found(fdsup.workers("nap")[0]["pid"])

    # -- descriptors

    def test_a_command_has_the_connection_as_0_and_1_and_nothing_beyond_2(self):
        found = self.started()
        self.assertEqual(sorted(found.descriptors), [0, 1, 2])
        self.assertRegex(found.descriptors[0], r"^socket:")
        self.assertEqual(found.descriptors[0], found.descriptors[1])

    def test_what_fdsup_inherited_is_not_passed_on(self):
        prefix = ["sh", "-c", 'exec "$@" 5</etc/passwd 7>/dev/null', "sh"]
        for found in (self.started(prefix=prefix), self.daemon(prefix=prefix)):
            self.assertEqual(sorted(found.descriptors), [0, 1, 2])

    def test_the_connection_is_blocking(self):
        found = self.started()
        self.assertEqual([n for n in found.flags if found.flags[n] & O_NONBLOCK], [])

    def test_new_privileges_are_there_unless_the_file_says_otherwise(self):
        for keys, expected in (("", "0"), ("no_new_privileges = true;", "1")):
            self.assertEqual(self.started(keys).status["NoNewPrivs"], expected)
            self.assertEqual(self.daemon(keys).status["NoNewPrivs"], expected)

    def test_a_daemon_has_no_input_and_nothing_beyond_2(self):
        found = self.daemon()
        self.assertEqual(sorted(found.descriptors), [0, 1, 2])
        self.assertEqual(found.descriptors[0], "/dev/null")
        self.assertRegex(found.descriptors[1], r"^pipe:")
        self.assertEqual(found.descriptors[1], found.descriptors[2])
        self.assertEqual([n for n in found.flags if found.flags[n] & O_NONBLOCK], [])

    def test_commands_served_at_the_same_time_do_not_find_each_other(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port, "workers = { max = 1; };"))
        first = self.served(fdsup, port)[2]
        for _ in range(3):
            other = self.served(fdsup, port)[2]
            self.assertEqual(sorted(other.descriptors), [0, 1, 2])
            self.assertNotEqual(other.descriptors[0], first.descriptors[0])

    # -- standard error

    def test_standard_error_goes_to_the_log_by_default(self):
        port = free_port()
        fdsup = self.fdsup('sh = { address = "127.0.0.1"; port = %d; command = [ "/bin/sh", "-c",'
                           ' "echo to the client; echo to the log >&2" ]; };' % port)
        self.assertEqual(self.talk(port), b"to the client\n")
        fdsup.wait_log(r"sh: stderr: to the log$")

    def test_standard_error_is_the_connection_where_the_file_says_so(self):
        found = self.started('stderr = "connection";')
        self.assertEqual(found.descriptors[2], found.descriptors[0])

    def test_standard_error_is_null_where_the_file_says_so(self):
        self.assertEqual(self.started('stderr = "null";').descriptors[2], "/dev/null")
        found = self.daemon('stderr = "null";')
        self.assertEqual([found.descriptors[1], found.descriptors[2]], ["/dev/null"] * 2)

    # -- process

    def test_signals_are_default_and_not_blocked_whatever_fdsup_inherited(self):
        signals = {signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, signal.SIGPIPE}
        before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGALRM})
        try:
            found = [self.started(), self.daemon()]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for number, handler in before.items():
                signal.signal(number, handler)
        for one in found:
            self.assertEqual(int(one.status["SigBlk"], 16), 0)
            self.assertEqual(int(one.status["SigIgn"], 16), 0)

    def test_each_command_and_daemon_leads_its_own_session(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port) + ' nap = { command = "/bin/sleep 1000"; };')
        _, pid, found = self.served(fdsup, port)
        self.assertEqual((found.session, found.group), (pid, pid))
        fdsup.wait_state("nap", "UP")
        pid = fdsup.workers("nap")[0]["pid"]
        found = Found(pid)
        self.assertEqual((found.session, found.group), (pid, pid))

    def test_defaults_of_directory_umask_nice_and_descriptor_limit(self):
        for found in (self.started(), self.daemon()):
            self.assertEqual(found.directory, "/")
            self.assertEqual(found.root, "/")
            self.assertEqual(found.status["Umask"], "0022")
            self.assertEqual(found.nice, os.getpriority(os.PRIO_PROCESS, 0))
            self.assertEqual(found.nofile, "1024")

    def test_directory_umask_and_nice_as_the_file_says(self):
        keys = 'directory = "/usr"; umask = "0077"; nice = 5;'
        for found in (self.started(keys), self.daemon(keys)):
            self.assertEqual(found.directory, "/usr")
            self.assertEqual(found.status["Umask"], "0077")
            self.assertEqual(found.nice, 5)

    def test_the_umask_of_who_starts_fdsup_does_not_matter(self):
        before = os.umask(0)
        try:
            found = self.started()
        finally:
            os.umask(before)
        self.assertEqual(found.status["Umask"], "0022")

    def test_argv_0_is_the_first_word_as_written(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port, command='[ "cat", "-", "a b", "" ]'))
        connection = self.connect(port)
        pid = int(fdsup.wait_log(r": START .* pid=(\d+)")[1])
        wait_until("its arguments", lambda: read(pid, "cmdline"))
        self.assertEqual(Found(pid).arguments, ["cat", "-", "a b", ""])
        connection.close()

    def test_one_string_is_split_into_words_and_no_shell_sees_it(self):
        port = free_port()
        self.fdsup(self.service(port, command=r'''"/usr/bin/printf '%s|' $HOME 'a  b' * ;"'''))
        self.assertEqual(self.talk(port), b"$HOME|a  b|*|;|")

    # -- environment

    def test_the_environment_of_a_command_is_exactly_the_documented_set(self):
        os.environ["LD_BIND_NOT"] = os.environ["SECRET"] = "1"
        try:
            port = free_port()
            fdsup = self.fdsup(self.service(port))
            connection, _, found = self.served(fdsup, port)
        finally:
            del os.environ["LD_BIND_NOT"], os.environ["SECRET"]
        own = str(connection.getsockname()[1])
        self.assertFalse(found.has_doubles)
        self.assertEqual(self.less_account(found.environment), {
            "PATH": PATH, "FDSUP_SERVICE": "cat", "FDSUP_INSTANCE": found.environment["FDSUP_INSTANCE"], "PROTO": "TCP",
            "REMOTE_HOST": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": own,
            "LOCAL_ADDR": "127.0.0.1", "LOCAL_PORT": str(port),
            "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": own,
            "TCPLOCALIP": "127.0.0.1", "TCPLOCALPORT": str(port)})

    def test_the_environment_of_a_daemon_is_exactly_the_documented_set(self):
        found = self.daemon()
        self.assertFalse(found.has_doubles)
        self.assertEqual(self.less_account(found.environment), {"PATH": PATH, "FDSUP_SERVICE": "nap",
                          "FDSUP_INSTANCE": found.environment["FDSUP_INSTANCE"]})

    def less_account(self, environment):
        """Without what the user database gives, which is looked at here."""
        record = pwd.getpwuid(os.geteuid())
        account = {"HOME": record.pw_dir, "USER": record.pw_name, "LOGNAME": record.pw_name,
                   "SHELL": record.pw_shell}
        self.assertEqual({k: environment.get(k) for k in account}, account)
        return {k: v for k, v in environment.items() if k not in account}

    def test_variables_are_added_and_passed_on_as_the_file_says(self):
        os.environ["FDSUP_TEST_PASSED"] = "it's here"
        os.environ.pop("FDSUP_TEST_ABSENT", None)
        keys = ('environment = [ "GREETING=hello = world", "PATH=/nowhere", "EMPTY=" ];'
                ' pass_environment = [ "FDSUP_TEST_PASSED", "FDSUP_TEST_ABSENT" ];')
        try:
            both = [self.started(keys), self.daemon(keys)]
        finally:
            del os.environ["FDSUP_TEST_PASSED"]
        for found in both:
            self.assertEqual(found.environment["GREETING"], "hello = world")
            self.assertEqual(found.environment["PATH"], "/nowhere")
            self.assertEqual(found.environment["EMPTY"], "")
            self.assertEqual(found.environment["FDSUP_TEST_PASSED"], "it's here")
            self.assertNotIn("FDSUP_TEST_ABSENT", found.environment)
            self.assertFalse(found.has_doubles)

    def test_nobody_can_forge_the_address_of_a_client(self):
        os.environ["REMOTE_ADDR"] = "203.0.113.1"
        try:
            found = self.started('pass_environment = [ "REMOTE_ADDR" ];')
        finally:
            del os.environ["REMOTE_ADDR"]
        self.assertEqual(found.environment["REMOTE_ADDR"], "127.0.0.1")
        self.assertFalse(found.has_doubles)

    # -- addresses

    @needs_ipv6
    def test_ipv6_addresses(self):
        port = free_port("::1")
        fdsup = self.fdsup(self.service(port, address='"::1"'))
        connection, _, found = self.served(fdsup, port, "::1")
        own = str(connection.getsockname()[1])
        expected = {"REMOTE_HOST": "::1", "REMOTE_ADDR": "::1", "REMOTE_PORT": own, "LOCAL_ADDR": "::1",
                    "LOCAL_PORT": str(port), "TCPREMOTEIP": "::1", "TCPREMOTEPORT": own,
                    "TCPLOCALIP": "::1", "TCPLOCALPORT": str(port)}
        self.assertEqual({k: found.environment.get(k) for k in expected}, expected)

    @needs_ipv6
    def test_ipv4_clients_of_a_listener_for_both_families_appear_as_ipv4(self):
        for address in ('"*"', '"::"'):
            port = free_port()
            fdsup = self.fdsup(self.service(port, address=address))
            found = self.served(fdsup, port, "127.0.0.1")[2]
            for name in ("REMOTE_HOST", "REMOTE_ADDR", "LOCAL_ADDR", "TCPREMOTEIP", "TCPLOCALIP"):
                self.assertEqual(found.environment[name], "127.0.0.1", name)
            fdsup.wait_log(r"START .* peer=127\.0\.0\.1:\d+ local=127\.0\.0\.1:%d " % port)

    # -- user

    @needs_root
    def test_a_user_and_nothing_of_root_is_left(self):
        for found in (self.started('user = "nobody";'), self.daemon('user = "nobody";')):
            self.assertEqual(found.status["Uid"].split(), ["65534"] * 4)
            self.assertEqual(found.status["Gid"].split(), ["65534"] * 4)
            self.assertEqual(set(found.status["Groups"].split()), {"65534"})
            for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                self.assertEqual(int(found.status[name], 16), 0, name)
            self.assertEqual(found.environment["USER"], "nobody")
            self.assertEqual(found.environment["LOGNAME"], "nobody")
            self.assertEqual(found.environment["HOME"], "/nonexistent")
            self.assertEqual(sorted(found.descriptors), [0, 1, 2])

    @needs_root
    def test_a_user_has_exactly_the_groups_of_the_group_file(self):
        fdsup = self.unstarted()
        with open("/etc/group") as f:
            lines = [line for line in f.read().splitlines() if not line.startswith(("first:", "second:"))]
        path = os.path.join(fdsup.directory, "group")
        with open(path, "w") as f:
            f.write("\n".join(lines + ["first:x:7001:nobody", "second:x:7002:daemon,nobody",
                                       "third:x:7003:daemon"]) + "\n")
        for found in (self.started('user = "nobody";', prefix=with_files(group=path)),
                      self.daemon('user = "nobody";', prefix=with_files(group=path))):
            self.assertEqual(set(found.status["Groups"].split()), {"65534", "7001", "7002"})

    @needs_root
    def test_group_and_groups_as_the_file_says(self):
        keys = 'user = "nobody"; group = "daemon"; groups = [ "mail", "1234" ];'
        for found in (self.started(keys), self.daemon(keys)):
            self.assertEqual(found.status["Uid"].split(), ["65534"] * 4)
            self.assertEqual(found.status["Gid"].split(), ["1"] * 4)
            self.assertEqual(set(found.status["Groups"].split()), {"1", "8", "1234"})

    @needs_root
    def test_the_groups_of_who_starts_fdsup_are_not_passed_on(self):
        before = os.getgroups()
        os.setgroups([0, 7, 9])
        try:
            found = self.started('user = "nobody";')
        finally:
            os.setgroups(before)
        self.assertEqual(set(found.status["Groups"].split()), {"65534"})

    @needs_root
    def test_a_service_without_a_user_runs_as_root_and_the_acceptor_does_not(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port))
        found = self.served(fdsup, port)[2]
        self.assertEqual(found.status["Uid"].split(), ["0"] * 4)
        acceptor = Found(fdsup.acceptor_pid())
        self.assertNotIn("0", acceptor.status["Uid"].split())
        self.assertNotIn("0", acceptor.status["Groups"].split())
        self.assertEqual(int(acceptor.status["CapPrm"], 16), 0)
        self.assertEqual(acceptor.status["NoNewPrivs"], "1")

    @needs_root
    def test_an_ordinary_user_runs_everything_as_himself(self):
        fdsup = self.unstarted(prefix=as_nobody())
        port = free_port()
        os.chown(fdsup.directory, 65534, 65534)
        fdsup.write(self.service(port))
        fdsup.start()
        found = self.served(fdsup, port)[2]
        self.assertEqual(found.status["Uid"].split(), ["65534"] * 4)
        self.assertEqual(sorted(found.descriptors), [0, 1, 2])
        self.assertEqual(found.environment["USER"], "nobody")

    # -- at any time

    def test_a_command_finds_the_same_after_reloads_and_deaths(self):
        port = free_port()
        user = 'user = "nobody";' if IS_ROOT else ""
        service = self.service(port, user + ' environment = [ "A=b" ]; directory = "/usr";')
        fdsup = self.fdsup(service + ' nap = { command = "/bin/sleep 1000"; %s };' % user)
        first = self.served(fdsup, port)[2].lasting()
        fdsup.wait_state("nap", "UP")
        first_nap = Found(fdsup.workers("nap")[0]["pid"]).lasting()

        fdsup.write(service + ' other = { command = "/bin/sleep 1000"; };'
                    ' nap = { command = "/bin/sleep 1000"; %s umask = "022"; };' % user)
        fdsup.order("reload")
        self.assertEqual(self.served(fdsup, port)[2].lasting(), first)

        for pid in fdsup.worker_pids("cat"):
            os.kill(pid, signal.SIGKILL)
        fdsup.wait_log(r"cat: worker \d+ killed by SIGKILL")
        self.assertEqual(self.served(fdsup, port)[2].lasting(), first)

        os.kill(fdsup.acceptor_pid(), signal.SIGKILL)
        fdsup.wait_log(r"acceptor killed by SIGKILL")
        self.assertEqual(self.served(fdsup, port)[2].lasting(), first)

        fdsup.order("restart", "nap")
        self.assertEqual(Found(fdsup.workers("nap")[0]["pid"]).lasting(), first_nap)
        fdsup.write(service + ' nap = { command = "/bin/sleep 1001"; %s };' % user)
        fdsup.order("reload")
        wait_until("the new command", lambda: [w for w in fdsup.workers("nap") if w["generation"] > 1
                                              and w["state"] == "READY"])
        nap = max(fdsup.workers("nap"), key=lambda w: w["generation"])
        rolled = Found(nap["pid"])
        self.assertEqual(rolled.arguments, ["/bin/sleep", "1001"])
        rolled.arguments = ["/bin/sleep", "1000"]
        self.assertEqual(rolled.lasting(), first_nap)


if __name__ == "__main__":
    main()

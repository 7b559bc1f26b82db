"""A configuration is right or nothing happens: what is wrong is told, all of it, with its place."""
import os
import socket
import subprocess
import unittest

from support import BIN, IS_ROOT, LONG, Test, as_nobody, free_port, main, needs_root, reap_orphans, run


class Configuration(Test):
    def setUp(self):
        super().setUp()
        self.one = self.unstarted()
        self.path = self.one.path
        self.directory = self.one.directory

    def file(self, text, name="fdsup.conf", mode=0o644):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def services(self, text, name="fdsup.conf"):
        return self.file('runtime_dir = "%s/run";\nservices = {\n%s\n};\n' % (self.directory, text), name)

    def cat(self, name, port=None):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % (name, port or free_port())

    def check(self, *arguments):
        return run("fdsup", "-c", self.path, *arguments)

    def wrong(self, *expected):
        """The file is refused with these texts, by --check and by a start, which starts nothing."""
        for arguments in (["--check"], ["--show-config"], []):
            code, output, error = self.check(*arguments)
            self.assertEqual((code, output), (1, ""), error)
            for text in expected:
                self.assertIn(text, error)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "run")))
        return error

    # -- what is right

    def test_check_says_so_and_binds_nothing(self):
        port = free_port()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            self.services(self.cat("a", port) + self.cat("b"))
            code, output, error = self.check("--check")
        self.assertEqual((code, output, error), (0, "%s: 2 services, no errors\n" % self.path, ""))
        self.assertFalse(os.path.exists(os.path.join(self.directory, "run")))

    def test_check_warns_of_a_folder_of_which_nothing_is_read(self):
        os.mkdir(os.path.join(self.directory, "conf.d"))
        with open(os.path.join(self.directory, "conf.d", "a.con"), "w") as f:
            f.write("services = { a = { command = \"/bin/cat\"; }; };\n")
        self.file('include = "conf.d";\n')
        code, output, error = self.check("--check")
        self.assertEqual((code, output), (0, "%s: 0 services, no errors\n" % self.path))
        self.assertEqual(error, "fdsup: warning: %s:1: include: no file of the folder \"conf.d\" is read: none has "
                         "a name that ends in \".conf\"\n" % self.path)

    def test_what_show_config_shows_loads_and_shows_itself(self):
        port = free_port()
        self.file(r'''
runtime_dir = "%s/run";
include = "conf.d";
acceptors = 2;
admin = { status = [ "*" ]; control = [ "@%s" ]; };
log = { to = "%s/log"; level = "debug"; };
defaults = { max_connections = 7; umask = "077"; };
services = {
  all = { address = [ "127.0.0.1", "::1" ]; port = %d; command = [ "/bin/echo", "a b", "q\"uote\\", "", "\t\x01" ];
          description = "caf\xc3\xa9 \"x\""; environment = [ "A=b c" ]; pass_environment = [ "LANG" ];
          rate = "10/s burst 50"; rate_per_source = "600/min"; overflow = "refuse"; overflow_wait = "1500ms";
          log = [ "start", "end" ]; workers = { min = 1; max = 3; }; idle_timeout = "2min"; stop_signal = "HUP";
          give_up = "5/10s"; nodelay = true; stderr = "null"; directory = "/usr"; };
  off = { enabled = false; command = "/bin/sleep '1 0'"; restart = "on-failure"; };
};''' % (self.directory, "root" if IS_ROOT else os.getgid(), self.directory, port))
        self.file("services = { %s };" % self.cat("included"), "conf.d/a.conf")
        code, shown, error = self.check("--show-config")
        self.assertEqual((code, error), (0, ""))
        self.assertIn('"q\\"uote\\\\"', shown)
        self.path = self.file(shown, "shown.conf")
        code, again, error = self.check("--show-config")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(again, shown)

    def test_what_show_config_shows_runs(self):
        port = free_port()
        self.services('a = { address = "127.0.0.1"; port = %d; command = [ "/bin/echo", "a  b" ]; };' % port)
        code, shown, _ = self.check("--show-config")
        self.assertEqual(code, 0)
        self.file(shown)
        self.one.start()
        self.assertEqual(self.talk(port), b"a  b\n")

    def test_files_of_an_included_folder_are_read_in_the_order_of_their_names(self):
        first, second, third = free_port(), free_port(), free_port()
        self.file('runtime_dir = "%s/run"; include = "conf.d"; services = { %s };' % (
            self.directory, self.cat("main", first)))
        self.file("services = { %s };" % self.cat("b", second), "conf.d/20.conf")
        self.file("services = { %s };" % self.cat("a", third), "conf.d/10.conf")
        self.file("this is not read", "conf.d/README")
        self.file("this is not read", "conf.d/.hidden.conf")
        self.one.start()
        for port in (first, second, third):
            self.assertEqual(self.talk(port, b"x"), b"x")

    # -- what is wrong

    def test_a_wrong_key_is_told_with_file_line_path_and_a_suggestion(self):
        self.services('a = {\n adress = "127.0.0.1";\n port = 1234; command = "/bin/cat"; };')
        self.wrong('fdsup: %s:4: services.a.adress: unknown key; did you mean "address"?\n' % self.path)

    def test_all_errors_are_told_in_one_run_in_the_order_of_the_lines(self):
        self.file('include = "conf.d";\nruntime_dir = "%s/run";\nlog = { level = "loud"; };\nservices = {\n'
                  'a = { port = 99999; command = "/bin/cat"; };\n'
                  'b = { port = 2000; command = "/no/such/program"; };\n'
                  'c = { port = 2001; command = "/bin/cat"; user = "no-such-user"; umask = "999"; };\n'
                  'd = { port = 2002; command = "/bin/cat"; overflow = "drop"; rate = "fast"; };\n'
                  '};\n' % self.directory)
        included = self.file("services = {\n e = { prot = 1; };\n};", "conf.d/x.conf")
        error = self.wrong(":3: log.level", ":5: services.a.port", "/no/such/program", "no-such-user",
                           "services.c.umask", "services.d.overflow", "services.d.rate",
                           "%s:2: services.e.prot" % included)
        lines = [line for line in error.splitlines() if ":" in line]
        numbers = [int(line.split(":")[2]) for line in lines if self.path in line.split(":")[1]]
        self.assertEqual(numbers, sorted(numbers))

    def test_wrong_files(self):
        for text, expected in (
                ("services = {", "%s:" % self.path), ("", "there are no services"),
                ("services = { a = { port = 80, }", "%s:1" % self.path),
                ("services = { a = { port = 4294967376; command = \"/bin/cat\"; }; };", "4294967376"),
                ("/* no end", "%s:1" % self.path), ('x = "no end', "%s:1" % self.path),
                ("services = { a = 1; };", "services.a"), ('@include "other"', "include"),
                ('services = { a = { port = 1; command = ""; }; };', "services.a.command"),
                ('services = { a = { port = 1; command = "cat"; user = root; }; };', "quotes"),
                ('services = { a = { type = "external"; port = 1; }; };', "worker_socket")):
            with self.subTest(text=text):
                self.file(text)
                code, output, error = self.check()
                self.assertEqual((code, output), (1, ""))
                self.assertIn(expected, error)
                self.assertNotIn("Sanitizer", error)

    def test_two_services_on_one_port_are_told_with_both_places(self):
        self.services('a = { port = 2000; command = "/bin/cat"; };\n'
                      'b = { address = "127.0.0.1"; port = 2000; command = "/bin/cat"; };')
        self.wrong("%s:4: services.b" % self.path, "services.a (%s:3" % self.path)

    def test_a_file_that_others_may_write_is_refused(self):
        for mode in (0o666, 0o664):
            self.services(self.cat("a"))
            os.chmod(self.path, mode)
            self.wrong("is writable by", "chmod go-w")

    @needs_root
    def test_a_file_of_another_user_is_refused(self):
        self.services(self.cat("a"))
        os.chown(self.path, 12345, -1)
        self.wrong("belongs to user 12345")

    def test_an_included_file_or_folder_that_others_may_write_is_refused(self):
        self.file('runtime_dir = "%s/run"; include = "conf.d";' % self.directory)
        path = self.file("services = { %s };" % self.cat("a"), "conf.d/a.conf", mode=0o666)
        self.wrong(path, "is writable by everybody")
        os.chmod(path, 0o644)
        os.chmod(os.path.dirname(path), 0o777)
        self.wrong("conf.d", "is writable by everybody")

    def test_what_is_no_file_is_refused_without_waiting(self):
        os.unlink(self.path)
        os.mkfifo(self.path)
        self.wrong("this is a FIFO")
        os.unlink(self.path)
        os.mkdir(self.path)
        self.wrong("this is a folder")
        os.rmdir(self.path)
        self.wrong("No such file or directory")
        self.path = "/dev/zero"
        self.wrong("this is a device")

    def test_wrong_options(self):
        for arguments in (["--nonsense"], ["file"], ["-c"]):
            code, output, error = run("fdsup", *arguments)
            self.assertEqual((code, output), (64, ""), arguments)
            self.assertIn("usage: fdsup", error)
        for option in ("--help", "--version"):
            code, output, error = run("fdsup", option)
            self.assertEqual((code, error), (0, ""))
            self.assertIn("fdsup", output)

    # -- what cannot be had

    def holding(self, *ports):
        """Sockets of ours that listen there."""
        held = [socket.socket() for _ in ports]
        for s, port in zip(held, ports):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen()
            self.addCleanup(s.close)
        return held

    def test_an_address_in_use_takes_no_other_service_away(self):
        taken, free = free_port(), free_port()
        holder, = self.holding(taken)
        fdsup = self.fdsup(self.cat("a", free) + self.cat("b", taken))
        self.assertEqual(self.talk(free, b"hello"), b"hello")
        service = fdsup.wait_status("b", lambda s: not s["healthy"] and s["explanation"], "what is in the way")
        self.assertEqual((service["state"], service["missing"]), ("DEGRADED", ["tcp 127.0.0.1:%d" % taken]))
        self.assertIn("cannot listen on tcp 127.0.0.1:%d: address in use, held by pid %d" % (
            taken, os.getpid()), service["explanation"][0])
        self.assertRegex(service["explanation"][0], "; it is tried again every few seconds$")
        # A reload that does not touch it is none of its business.
        fdsup.write(self.cat("a", free) + self.cat("b", taken) + self.cat("c", free_port()))
        fdsup.order("reload")
        holder.close()
        fdsup.wait_log("b: tcp 127.0.0.1:%d has appeared and is listened on" % taken)
        self.assertEqual(self.talk(taken, b"hello"), b"hello")
        fdsup.wait_status("b", lambda s: s["healthy"] and s["missing"] == [], "health")
        self.assertEqual(fdsup.count_log("cannot listen"), 1)

    def test_when_no_address_can_be_had_each_names_its_holder_and_nothing_is_started(self):
        taken, second = free_port(), free_port()
        self.holding(taken, second)
        self.services(self.cat("b", taken) + "\n" + self.cat("c", second))
        code, _, error = self.check()
        self.assertEqual(code, 1)
        self.assertIn("services.b: cannot listen on tcp 127.0.0.1:%d: address in use, held by pid %d" % (
            taken, os.getpid()), error)
        self.assertIn("%s:4: services.c: cannot listen on tcp 127.0.0.1:%d" % (self.path, second), error)
        self.assertIn("nothing was started", error)

    def test_a_second_fdsup_with_the_same_runtime_dir_is_refused(self):
        port = free_port()
        self.services(self.cat("a", port))
        self.one.start()
        self.services(self.cat("b"), "other.conf")
        code, _, error = run("fdsup", "-c", os.path.join(self.directory, "other.conf"))
        self.assertEqual(code, 1)
        self.assertIn("fdsup runs already", error)
        self.assertIn("(pid %d)" % self.one.pid, error)
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.assertEqual(self.one.ctl("status")[0], 0)

    def test_files_left_by_one_that_was_killed_do_not_hinder_the_next(self):
        port = free_port()
        self.services(self.cat("a", port))
        self.one.start()
        self.one.process.kill()
        self.one.wait()
        self.assertIn("admin.sock", os.listdir(self.one.runtime_dir))
        reap_orphans()  # the acceptor, which holds the port until it sees that fdsup has gone
        self.one.start()
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_what_lies_in_the_way_of_the_runtime_files_is_told(self):
        runtime = os.path.join(self.directory, "run")
        self.services(self.cat("a"))
        self.file("", "run")
        self.assertIn("is not a directory", self.check()[2])
        os.unlink(runtime)
        os.mkdir(runtime, 0o755)
        os.chmod(runtime, 0o777)
        self.assertIn("can be written to by others", self.check()[2])
        os.chmod(runtime, 0o755)
        os.symlink("/etc/passwd", os.path.join(runtime, "fdsup.pid"))
        self.assertIn("symbolic link", self.check()[2])
        self.assertIn("root:", open("/etc/passwd").read())
        os.unlink(os.path.join(runtime, "fdsup.pid"))
        self.file("precious", "run/admin.sock")
        self.assertIn("is in the way of the admin socket", self.check()[2])
        self.assertEqual(open(os.path.join(runtime, "admin.sock")).read(), "precious")

    def test_a_symbolic_link_in_the_runtime_directory_is_not_followed(self):
        self.services(self.cat("a"))
        os.mkdir(os.path.join(self.directory, "run"), 0o755)
        precious = self.file("precious", "precious")
        for name in ("listeners", "listeners.new"):
            os.symlink(precious, os.path.join(self.directory, "run", name))
        self.one.start()
        self.one.stop()
        self.assertEqual(open(precious).read(), "precious")

    # -- without root

    def as_ordinary_user(self, text, **environment):
        """fdsup with this configuration as the user nobody (or as who runs the tests, without root)."""
        home = os.path.join(self.directory, "xdg")
        os.mkdir(home, 0o700)
        if IS_ROOT:
            os.chown(home, 65534, 65534)
        self.file(text)
        return subprocess.Popen([*(as_nobody() if IS_ROOT else []), os.path.join(BIN, "fdsup"), "-c", self.path],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env=dict(os.environ, XDG_RUNTIME_DIR=home, **environment)), home

    def test_an_ordinary_user_needs_no_runtime_dir(self):
        port = free_port()
        process, home = self.as_ordinary_user("services = { %s };" % self.cat("a", port))
        try:
            line = process.stderr.readline().decode()
            self.assertIn("1 service ", line)
            self.assertEqual(self.talk(port, b"x"), b"x")
            path = os.path.join(home, "fdsup", "admin.sock")
            self.assertTrue(os.path.exists(path))
            prefix = as_nobody() if IS_ROOT else []
            code, output, error = run("fdsupctl", "status", prefix=prefix,
                                      environment={"XDG_RUNTIME_DIR": home, "FDSUP_SOCKET": ""})
            self.assertEqual(code, 0, error)
            self.assertIn("a", output)
            code, _, error = run("fdsupctl", "-s", path, "stop", "a", prefix=prefix)
            self.assertEqual(code, 0, error)
        finally:
            process.terminate()
            self.assertEqual(process.wait(LONG), 0)
            process.stderr.close()
        self.assertEqual(os.listdir(os.path.join(home, "fdsup")), [])

    @unittest.skipIf(int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) < 1024,
                     "every user may use low ports here")
    def test_an_ordinary_user_is_told_about_low_ports_and_other_users(self):
        process, _ = self.as_ordinary_user("services = { %s };" % self.cat("a", 81))
        error = process.communicate(timeout=LONG)[1].decode()
        self.assertEqual(process.returncode, 1)
        self.assertIn("ports below 1024 need root", error)
        self.file('services = { a = { port = 8081; command = "/bin/cat"; user = "daemon"; }; };')
        code, _, error = run("fdsup", "-c", self.path, "--check", prefix=as_nobody() if IS_ROOT else [])
        self.assertEqual(code, 1)
        self.assertIn("services.a.user", error)
        self.assertIn("root", error)


if __name__ == "__main__":
    main()

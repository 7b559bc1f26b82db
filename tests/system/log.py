"""The log: one line an event, wherever it goes; what programs say is part of it, and harmless."""
import fcntl
import os
import re
import signal
import socket
import stat
import subprocess

from support import BIN, LONG, Test, free_port, main, needs_root, run, wait_until

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
ENDS = r"id=[0-9a-f]{16} peer=127\.0\.0\.1:%d local=127\.0\.0\.1:%d"


class Log(Test):
    def cat(self, port, keys="", name="cat"):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def saying(self, text, keys="", name="says", port=None):
        """A service or a daemon whose program is this shell script."""
        where = 'address = "127.0.0.1"; port = %d;' % port if port else ""
        return '%s = { %s command = "%s"; %s };\n' % (name, where, text, keys)

    def read(self, path):
        with open(path) as f:
            return f.read()

    # -- events

    def test_every_line_is_one_event_with_time_and_level(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'log = [ "start", "end" ];') + 'bad = { command = "/bin/false"; };',
                           top='log = { level = "debug"; };')
        self.talk(port, b"x")
        fdsup.wait_log("bad: daemon .* exited 1", 2)
        fdsup.wait_log("cat: END ")
        fdsup.stop()
        for line in fdsup.lines:
            self.assertRegex(line, r"^%s (error|warning|notice|info|debug) \S.*\S$" % STAMP)

    def test_start_and_end_tell_who_what_and_how_long(self):
        port = free_port()
        fdsup = self.fdsup('sh = { address = "127.0.0.1"; port = %d; log = [ "start", "end" ];'
                           ' command = [ "/bin/sh", "-c", "read x; exit 3" ]; };' % port)
        s = self.connect(port)
        ends = ENDS % (s.getsockname()[1], port)
        pid = fdsup.wait_log(r" info sh: START %s pid=(\d+)$" % ends)[1]
        s.sendall(b"\n")
        fdsup.wait_log(r" info sh: END %s pid=%s duration=\d+\.\d{3}s cpu=\d+\.\d{3}s status=3 in=\d+ out=\d+$" % (ends, pid))
        ids = set(re.findall(r"(?:START|END) id=(\w+)", fdsup.log()))
        self.assertEqual(len(ids), 1)

    def test_refused_tells_who_and_why(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "refuse";'))
        first = self.connect(port)
        first.sendall(b"x")
        first.recv(1)
        second = self.connect(port)
        own = second.getsockname()[1]
        self.assertEqual(self.read_all(second), b"")
        fdsup.wait_log(r" info cat: REFUSED %s reason=max_connections$" % (ENDS % (own, port)))

    def client_at(self, port, source):
        """A client at this address, which sends something and reads to the end."""
        with socket.create_connection(("127.0.0.1", port), LONG, (source, 0)) as s:
            try:
                s.sendall(b"x")
                s.shutdown(socket.SHUT_WR)
                self.read_all(s)
            except OSError: # refused
                pass

    def test_no_more_of_an_address_is_shown_than_the_key_allows(self):
        ports = [free_port() for _ in range(2)]
        keys = 'log = [ "start", "end", "refuse" ]; deny = "127.77.3.9"; max_per_source = 1; overflow = "refuse";'
        fdsup = self.fdsup(self.cat(ports[0], keys + 'log_address = "prefix";', "some")
                           + self.cat(ports[1], keys + 'log_address = "none";', "nothing"))
        for name, port, shown in (("some", ports[0], r"127\.77\.3\.0/24"), ("nothing", ports[1], "-")):
            self.client_at(port, "127.77.3.8")
            self.client_at(port, "127.77.3.9")
            for event in ("START", "END", "REFUSED"):
                fdsup.wait_log(r" %s: %s id=[0-9a-f]{16} peer=%s local=127\.0\.0\.1:%d " % (name, event, shown, port))
            first = socket.create_connection(("127.0.0.1", port), LONG, ("127.77.3.7", 0))
            self.sockets.append(first)
            first.sendall(b"x")
            first.recv(1)
            self.client_at(port, "127.77.3.7")
            fdsup.wait_log(r" %s: max_per_source=1 reached by %s: " % (name, shown))
        self.assertNotRegex(fdsup.log(), r"127\.77\.3\.[789]")
        for verb in ("status", "listeners", "workers"):
            self.assertNotRegex(fdsup.ctl("--json", verb)[1], r"127\.77\.3\.[789]")
        # A change takes effect at once, for what is logged from then on.
        fdsup.write(self.cat(ports[0], keys + 'log_address = "full";', "some")
                    + self.cat(ports[1], keys + 'log_address = "none";', "nothing"))
        self.assertIn("apply", fdsup.order("reload"))
        self.client_at(ports[0], "127.77.3.8")
        fdsup.wait_log(r" some: END id=[0-9a-f]{16} peer=127\.77\.3\.8:\d+ local=")

    def test_only_the_events_of_the_file_get_a_line(self):
        ports = [free_port() for _ in range(3)]
        fdsup = self.fdsup(self.cat(ports[0], 'log = [ "start" ];', "a") + self.cat(ports[1], 'log = [ "end" ];', "b")
                           + self.cat(ports[2], 'log = [ ];', "c"))
        for port in ports:
            self.talk(port, b"x")
        for name in "abc":
            fdsup.wait_status(name, lambda s: s["served"] == 1, "served")
        fdsup.wait_log("a: START")
        fdsup.wait_log("b: END")
        for pattern in ("a: END", "b: START", "c: START", "c: END"):
            self.assertEqual(fdsup.count_log(pattern), 0, pattern)

    def test_a_start_is_told_once_though_the_acceptor_dies(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'log = [ "start", "end" ];'))
        s = self.connect(port)
        fdsup.wait_log("cat: START")
        os.kill(fdsup.acceptor_pid(), signal.SIGKILL)
        fdsup.wait_log("acceptor killed by SIGKILL")
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 1, "taken over")
        s.close()
        fdsup.wait_log("cat: END")
        self.assertEqual(fdsup.count_log("cat: START"), 1)

    def test_the_level_leaves_out_what_is_less_important(self):
        port = free_port()
        services = self.cat(port) + 'bad = { command = "/bin/false"; restart = "never"; };'
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "fdsup.log")
        fdsup.write(services, 'log = { to = "%s"; level = "warning"; };' % path)
        fdsup.start()
        self.talk(port, b"x")
        os.kill(fdsup.acceptor_pid(), signal.SIGKILL)
        wait_until("the error", lambda: "acceptor killed" in self.read(path))
        self.talk(port, b"x")
        fdsup.stop()
        for line in self.read(path).splitlines():
            self.assertRegex(line, r"^%s (error|warning) " % STAMP)

    def test_the_level_changes_with_a_reload(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port), top='log = { level = "error"; };')
        self.talk(port, b"x")
        fdsup.wait_status("cat", lambda s: s["served"] == 1, "served")
        fdsup.write(self.cat(port), 'log = { level = "info"; };')
        fdsup.order("reload")
        self.talk(port, b"x")
        fdsup.wait_log("cat: END")
        self.assertEqual(fdsup.count_log("cat: END"), 1)

    # -- what programs say

    def test_output_of_commands_and_daemons_is_captured(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("says", "echo one >&2; echo two >&2\n")
        fdsup.write(self.saying(script, port=port) + self.saying(script, 'restart = "never";', "daemon"))
        fdsup.start()
        self.assertEqual(self.talk(port), b"")
        for name in ("says", "daemon"):
            for word in ("one", "two"):
                fdsup.wait_log(r" info %s: stderr: %s$" % (name, word))
        self.assertEqual(fdsup.status("says")["last_words"], ["one", "two"])

    def test_control_characters_are_escaped(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("says", r"printf 'a\033[2Jb\007c\000d\rerror forged\tx\177\377\n' >&2"
                              "\necho end >&2\n")
        fdsup.write(self.saying(script, port=port))
        fdsup.start()
        self.talk(port)
        fdsup.wait_log("says: stderr: end$")
        line = fdsup.wait_log("says: stderr: a.*forged.*")[0]
        self.assertNotRegex(line, r"[\x00-\x1f\x7f]")
        self.assertNotIn("�", line)

    def test_a_line_of_64_kilobytes_is_told_in_pieces_and_what_follows_as_well(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("says", "head -c 65536 /dev/zero | tr '\\0' y >&2; echo >&2; echo end >&2\n")
        fdsup.write(self.saying(script, port=port))
        fdsup.start()
        self.talk(port)
        fdsup.wait_log("says: stderr: end$")
        self.assertEqual(sum(map(len, re.findall(r"(?m)says: stderr: (y+)$", fdsup.log()))), 65536)
        self.assertLess(max(map(len, fdsup.lines)), 8192)

    def test_last_words_without_a_newline_are_told(self):
        port = free_port()
        fdsup = self.unstarted()
        script = fdsup.script("says", "printf 'no newline' >&2; exit 1\n")
        fdsup.write(self.saying(script, 'restart = "never";', "daemon") + self.saying(script, port=port))
        fdsup.start()
        fdsup.wait_log("daemon: stderr: no newline$")
        self.talk(port)
        fdsup.wait_log("says: stderr: no newline$")

    def test_a_flood_of_output_stops_nobody(self):
        port, other = free_port(), free_port()
        fdsup = self.unstarted()
        script = fdsup.script("says", "yes 'the sky is falling' >&2\n")
        fdsup.write(self.saying(script, 'stop_timeout = "500ms";', "flood") + self.cat(other))
        fdsup.start()
        fdsup.wait_log("flood: stderr: the sky is falling", 1000)
        for _ in range(10):
            self.assertEqual(self.talk(other, b"x"), b"x")
        self.assertEqual(fdsup.ctl("stop", "flood")[0], 0)
        fdsup.lines = []

    # -- where it goes

    def test_a_log_file_is_appended_to_and_not_readable_for_everybody(self):
        port = free_port()
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "fdsup.log")
        with open(path, "w") as f:
            f.write("what was there\n")
        os.unlink(path)
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % path)
        for starts in (1, 2):
            fdsup.start()
            self.talk(port, b"x")
            wait_until("a line", lambda: self.read(path).count("cat: END") == starts)
            fdsup.stop()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o007, 0)
        self.assertEqual(fdsup.lines, [])

    def test_a_log_file_that_is_a_link_or_cannot_be_opened_is_refused(self):
        fdsup = self.unstarted()
        precious = os.path.join(fdsup.directory, "precious")
        link = os.path.join(fdsup.directory, "link")
        with open(precious, "w") as f:
            f.write("precious")
        os.symlink(precious, link)
        fifo = os.path.join(fdsup.directory, "fifo")
        os.mkfifo(fifo)
        for path in (link, fdsup.directory, fifo):
            fdsup.write(self.cat(free_port()), 'log = { to = "%s"; };' % path)
            code, _, error = run("fdsup", "-c", fdsup.path)
            self.assertEqual(code, 1, path)
            self.assertIn("cannot open the log file %s" % path, error)
        self.assertEqual(self.read(precious), "precious")

    def test_a_log_whose_folder_is_missing_is_an_error_of_the_file(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        folder = fdsup.directory + "/no/such"
        fdsup.write(self.cat(port), 'log = { to = "%s/log"; };' % folder)
        expected = 'log.to: there is no directory "%s"; make it' % folder
        code, _, error = run("fdsup", "-c", fdsup.path, "--check")
        self.assertEqual(code, 1)
        self.assertIn(expected, error)
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertIn(expected, error)
        os.makedirs(folder)
        fdsup.order("reload")

    def test_status_says_that_the_log_cannot_be_written(self):
        port = free_port()
        fdsup = self.unstarted(self.cat(port))
        fdsup.write(self.cat(port), 'log = { to = "/dev/full"; };')
        fdsup.start()
        for arguments in (["status"], ["status", "-v"]):
            code, output, _ = fdsup.ctl(*arguments)
            self.assertEqual(code, 150)
            self.assertRegex(output, r"(?m)^the log cannot be written to /dev/full: No space left on device; "
                                     r"\d+ lines? (is|are) lost so far; make room there")
        self.assertEqual(fdsup.ctl("check")[0], 150)
        self.assertIn("\nfdsup_log_failed 1\n", fdsup.order("metrics"))
        path = os.path.join(fdsup.directory, "log")
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % path)
        fdsup.order("reload")
        self.assertNotIn("the log cannot be written", fdsup.order("status"))
        self.assertIsNone(fdsup.status()["daemon"]["log_trouble"])
        self.assertEqual(fdsup.ctl("check")[0], 0)
        self.assertRegex(self.read(path), r"\d+ log lines were lost before this one")

    def test_a_log_file_at_the_limit_for_files_ends_nothing(self):
        port = free_port()
        fdsup = self.unstarted(self.cat(port))
        path = os.path.join(fdsup.directory, "log")
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % path)
        fdsup.prefix = ["prlimit", "--fsize=%d:" % (1 << 23)]
        with open(path, "w") as f:
            f.truncate((1 << 23) - 1)
            f.seek(0, os.SEEK_END)
            f.write("\n")
        fdsup.start()
        self.assertEqual(self.talk(port, b"x"), b"x")
        code, output, _ = fdsup.ctl("status")
        self.assertEqual(code, 150)
        self.assertRegex(output, "(?m)^the log cannot be written to .*: File too large; .*ulimit -f")
        os.rename(path, path + ".1")
        fdsup.order("reload")
        self.assertEqual(fdsup.ctl("check")[0], 0)
        self.assertIn("lost before this one", self.read(path))

    def test_a_log_file_that_others_have_a_hand_in_is_refused(self):
        fdsup = self.unstarted()
        mine, linked = (os.path.join(fdsup.directory, name) for name in ("mine", "linked"))
        with open(mine, "w") as f:
            f.write("precious")
        os.link(mine, linked)
        paths = [linked]
        if os.geteuid() == 0:
            paths.append(os.path.join(fdsup.directory, "theirs"))
            with open(paths[-1], "w"):
                os.chown(paths[-1], 65534, 65534)
        for path in paths:
            fdsup.write(self.cat(free_port()), 'log = { to = "%s"; };' % path)
            code, _, error = run("fdsup", "-c", fdsup.path)
            self.assertEqual(code, 1, path)
            self.assertIn("cannot open the log file %s: the file there belongs to another user" % path, error)
            self.assertNotIn("fdsup", self.read(path))

    def test_a_log_that_is_rotated_goes_on_in_a_new_file(self):
        port = free_port()
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "fdsup.log")
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % path)
        fdsup.start()
        self.talk(port, b"x")
        wait_until("a line", lambda: "cat: END" in self.read(path))
        os.rename(path, path + ".1")
        fdsup.signal(signal.SIGHUP)
        wait_until("the new one", lambda: os.path.exists(path) and "reloaded" in self.read(path))
        self.talk(port, b"x")
        wait_until("a line", lambda: self.read(path).count("cat: END") == 1)
        self.assertEqual(self.read(path + ".1").count("cat: END"), 1)
        # A configuration that is refused does not keep the log from being rotated.
        os.rename(path, path + ".2")
        fdsup.write("nonsense = 1;", 'log = { to = "%s"; };' % path)
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        wait_until("the new one", lambda: os.path.exists(path) and "nonsense" in self.read(path))

    @needs_root
    def test_a_full_disk_costs_lines_and_that_is_told_when_there_is_room(self):
        port = free_port()
        folder = os.path.join(self.unstarted().directory, "small")
        os.mkdir(folder)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True)
        if mount.returncode != 0:
            self.skipTest("no mount here")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        path, ballast = os.path.join(folder, "fdsup.log"), os.path.join(folder, "ballast")
        fdsup = self.fdsup(self.cat(port, 'log = [ "start", "end" ];'), 'log = { to = "%s"; };' % path)
        try:
            with open(ballast, "wb", 0) as f:
                while True:
                    f.write(b"x" * 4096)
        except OSError:
            pass
        # The page that the log has begun takes a few lines more.
        for _ in range(40):
            self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_status("cat", lambda s: s["served"] == 40, "all served")
        self.assertLess(self.read(path).count("cat: END"), 40)
        os.unlink(ballast)
        self.assertEqual(self.talk(port, b"x"), b"x")
        wait_until("it is told", lambda: re.search(r"\d+ log lines were lost before this one", self.read(path)))
        fdsup.stop()

    # -- journal

    @needs_root
    def test_under_systemd_lines_go_to_the_journal_with_their_fields(self):
        port = free_port()
        folder = self.unstarted().directory
        path = os.path.join(folder, "socket")
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sockets.append(journal)
        journal.bind(path)
        journal.settimeout(LONG)
        # Where the journal's socket is, in a mount namespace of this fdsup.
        script = ('mount -t tmpfs none /run && mkdir -p /run/systemd/journal && touch /run/systemd/journal/socket && '
                  'mount --bind "%s" /run/systemd/journal/socket && '
                  'JOURNAL_STREAM=$(stat -L -c %%d:%%i /proc/self/fd/2) exec "$@"' % path)
        fdsup = self.unstarted(prefix=["unshare", "--mount", "sh", "-c", script, "sh"])
        fdsup.write(self.cat(port, 'log = [ "start", "end" ];')
                    + 'd = { command = [ "/bin/sh", "-c", "echo words >&2; exec sleep 1000" ]; };')
        fdsup.start()
        self.talk(port, b"x")

        def entry(text):
            while True:
                fields = dict(l.split("=", 1) for l in journal.recv(65536).decode().splitlines())
                if text in fields["MESSAGE"]:
                    return fields
        self.assertEqual(entry("d: stderr: words")["FDSUP_SERVICE"], "d")
        start, end = entry("cat: START "), entry("cat: END ")
        self.assertEqual(start["FDSUP_CONNECTION"], end["FDSUP_CONNECTION"])
        self.assertEqual((end["FDSUP_SERVICE"], end["FDSUP_EVENT"], end["FDSUP_STATUS"], end["PRIORITY"],
                          end["SYSLOG_IDENTIFIER"]), ("cat", "END", "0", "6", "fdsup"))
        self.assertRegex(end["FDSUP_PEER"], r"^127\.0\.0\.1:\d+$")
        fdsup.stop()
        self.assertEqual(fdsup.lines, [])

    def test_a_variable_left_over_is_not_the_journal(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port), prefix=["env", "JOURNAL_STREAM=1:2"])
        self.talk(port, b"x")
        fdsup.wait_log("cat: END")

    def test_a_reload_that_cannot_open_the_new_log_stays_with_the_old_one(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port))
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % fdsup.directory)
        fdsup.ctl("reload")
        fdsup.wait_log("cannot open the log file %s: Is a directory" % fdsup.directory)
        self.talk(port, b"x")
        fdsup.wait_log("cat: END")

    def test_a_log_that_nobody_reads_stops_no_service_and_the_loss_is_told(self):
        port = free_port()
        fdsup = self.unstarted()
        fdsup.write(self.cat(port, 'log = [ "start", "end" ];'))
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([os.path.join(BIN, "fdsup"), "-c", fdsup.path],
                                   stdin=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        try:
            wait_until("it answers", lambda: fdsup.ctl("status")[0] == 0)
            for _ in range(60):
                self.assertEqual(self.talk(port, b"x"), b"x")
            fdsup.wait_status("cat", lambda s: s["served"] == 60, "all served")
            text = os.read(reader, 65536).decode()
            self.assertEqual(self.talk(port, b"x"), b"x")
            fdsup.wait_status("cat", lambda s: s["served"] == 61, "all served")
        finally:
            process.terminate()
            with os.fdopen(reader, "rb") as f:
                text += f.read().decode()
            self.assertEqual(process.wait(LONG), 0)
        self.assertRegex(text, r"\d+ log lines were lost before this one")
        for line in text.splitlines():
            self.assertRegex(line, r"^%s \w+ \S" % STAMP)

    def test_a_log_whose_reader_has_gone_stops_no_service(self):
        port = free_port()
        fdsup = self.unstarted()
        fdsup.write(self.cat(port))
        reader, writer = os.pipe()
        process = subprocess.Popen([os.path.join(BIN, "fdsup"), "-c", fdsup.path],
                                   stdin=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        os.close(reader)
        try:
            wait_until("it answers", lambda: "the log cannot be written to standard error: Broken pipe"
                       in fdsup.ctl("status")[1])
            for _ in range(5):
                self.assertEqual(self.talk(port, b"x"), b"x")
        finally:
            process.terminate()
            self.assertEqual(process.wait(LONG), 0)

    def test_it_starts_with_all_standard_descriptors_closed(self):
        port = free_port()
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "fdsup.log")
        fdsup.write(self.cat(port), 'log = { to = "%s"; };' % path)
        process = subprocess.Popen(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-',
                                    os.path.join(BIN, "fdsup"), fdsup.path])
        try:
            wait_until("it answers", lambda: fdsup.ctl("status")[0] == 0)
            self.assertEqual(self.talk(port, b"x"), b"x")
            self.assertEqual([os.readlink("/proc/%d/fd/%d" % (process.pid, n)) for n in range(3)],
                             ["/dev/null"] * 3)
        finally:
            process.terminate()
            self.assertEqual(process.wait(LONG), 0)

    # -- syslog

    def syslog(self, fdsup):
        """A /dev of its own, whose log is a socket of ours; the beginning of a command line to use it."""
        directory = os.path.join(fdsup.directory, "dev")
        os.mkdir(directory, 0o755)
        open(os.path.join(directory, "null"), "w").close()
        return directory, ["unshare", "--mount", "sh", "-c",
                           'mount --bind /dev/null "$0/null" && mount --rbind "$0" /dev && exec "$@"', directory]

    def listen(self, directory):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(os.path.join(directory, "log"))
        s.settimeout(LONG)
        self.sockets.append(s)
        return s

    def receive(self, s, pattern):
        while True:
            text = s.recv(65536).decode()
            found = re.search(pattern, text)
            if found:
                return text

    @needs_root
    def test_syslog_gets_every_line_with_facility_level_and_pid(self):
        port = free_port()
        fdsup = self.unstarted()
        directory, prefix = self.syslog(fdsup)
        fdsup.prefix = prefix
        s = self.listen(directory)
        fdsup.write(self.cat(port), 'log = { to = "syslog"; };')
        fdsup.start()
        self.receive(s, r"^<29>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d fdsup\[%d\]: fdsup [\d.]+: 1 service " % fdsup.pid)
        self.talk(port, b"x")
        text = self.receive(s, r"^<30>.* fdsup\[%d\]: cat: END id=\w+ " % fdsup.pid)
        self.assertNotIn("\n", text)
        os.unlink(os.path.join(directory, "log"))
        s.close()
        again = self.listen(directory)
        self.talk(port, b"x")
        self.receive(again, "cat: END")
        self.assertEqual(fdsup.lines, [])

    @needs_root
    def test_no_syslog_daemon_is_no_reason_not_to_serve(self):
        port = free_port()
        fdsup = self.unstarted()
        directory, prefix = self.syslog(fdsup)
        fdsup.prefix = prefix
        fdsup.write(self.cat(port), 'log = { to = "syslog"; };')
        fdsup.start()
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_status("cat", lambda s: s["served"] == 1, "served")
        s = self.listen(directory)
        self.talk(port, b"x")
        self.receive(s, "cat: END")

    @needs_root
    def test_a_syslog_daemon_that_does_not_read_stops_no_service(self):
        port = free_port()
        fdsup = self.unstarted()
        directory, prefix = self.syslog(fdsup)
        fdsup.prefix = prefix
        s = self.listen(directory)
        fdsup.write(self.cat(port), 'log = { to = "syslog"; };')
        fdsup.start()
        for _ in range(30):
            self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_status("cat", lambda s: s["served"] == 30, "served")
        s.setblocking(False)
        try:
            while True:
                s.recv(65536)
        except BlockingIOError:
            s.setblocking(True)
        s.settimeout(LONG)
        self.talk(port, b"x")
        self.receive(s, r"\d+ log lines were lost before this one")


if __name__ == "__main__":
    main()

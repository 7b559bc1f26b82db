"""What fdsupctl prints on a real terminal (tmux), from 40 columns to 200: nothing wraps, nothing is
misaligned, and top leaves the terminal as it was."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest

from support import BIN, LONG, Test, free_port, main, reap_orphans, wait_until

# A worker that says much of itself.
TELLS = ("import os, socket, time; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto("
         "b'READY=1\\\\nSTATUS=' + b'warming the cache ' * 20, os.environ['NOTIFY_SOCKET']); time.sleep(1000)")

WIDTHS = (40, 41, 57, 80, 100, 132, 200)


class Terminal:
    """One tmux of its own, with a shell in it that says when a command is done."""

    def __init__(self, width, height=50, locale="C.UTF-8", **environment):
        self.directory = tempfile.mkdtemp(prefix="fdsup-tmux-")
        self.environment = dict(os.environ, TERM="xterm-256color", LC_ALL=locale, TMUX_TMPDIR=self.directory,
                                PS1="", **environment)
        self.environment.pop("TMUX", None)
        self.n = 0
        self.tmux("new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), "sh")
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-L", "fdsup", "-f", "/dev/null", *arguments], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LONG)
        if done.returncode:
            raise AssertionError("tmux %r: %s" % (arguments, done.stderr.decode()))
        return done.stdout.decode()

    def send(self, text, enter=True):
        self.tmux("send-keys", "-t", "t", "-l", text)
        if enter:
            self.tmux("send-keys", "-t", "t", "Enter")

    def key(self, name):
        self.tmux("send-keys", "-t", "t", name)

    def screen(self, colours=False):
        """The lines as they are seen: one that wrapped is two of them."""
        return self.tmux("capture-pane", "-p", "-t", "t", *(["-e"] if colours else [])).rstrip("\n").split("\n")

    def run(self, command, colours=False):
        """The lines that a command prints, by themselves on the screen."""
        self.n += 1
        path = os.path.join(self.directory, "done-%d" % self.n)
        self.send("clear; %s; echo $? >%s.new; mv %s.new %s" % (command, path, path, path))
        wait_until(command, lambda: os.path.exists(path))
        self.screen_seen = self.screen(colours)
        with open(path) as f:
            self.code = int(f.read())
        return [line for line in self.screen_seen if line.strip() not in ("", "#", "$")]  # the prompt

    def close(self):
        try:
            self.tmux("kill-server")
        except AssertionError:
            pass
        wait_until("tmux has ended", lambda: not self.lives())
        shutil.rmtree(self.directory, ignore_errors=True)

    def lives(self):
        return subprocess.run(["tmux", "-L", "fdsup", "list-sessions"], env=self.environment,
                              capture_output=True).returncode == 0


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class OnTerminals(Test):
    def setUp(self):
        super().setUp()
        self.terminals = []

    def tearDown(self):
        for terminal in self.terminals:
            terminal.close()
        for daemon in self.daemons:
            daemon.stop()
        reap_orphans()  # of tmux
        super().tearDown()

    def terminal(self, *arguments, **keywords):
        self.terminals.append(Terminal(*arguments, **keywords))
        return self.terminals[-1]

    def services(self):
        fdsup = self.unstarted()
        words = fdsup.script("words", r"printf '\303\244\346\274\242\345\255\227 \033[31mred %s\n' "
                                      + "x" * 200 + " >&2; exit 1\n")
        self.port, long_port = free_port(), free_port()
        fdsup.write(
            'echo = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % self.port
            + 'a-service-with-a-name-that-is-as-long-as-may-be = { address = [ "127.0.0.1", "::1" ]; port = %d;'
              ' command = "/bin/cat"; };' % long_port
            + 'tells = { address = "127.0.0.1"; port = %d; type = "worker"; ready = "notify"; workers = { max = 1; };'
              ' command = [ "%s", "-c", "%s" ]; };' % (free_port(), sys.executable, TELLS)
            + 'bad = { command = "%s"; restart_delay = "1h"; restart_delay_max = "1h"; };' % words
            + 'off = { command = "/bin/cat"; enabled = false; };')
        fdsup.start()
        fdsup.wait_state("bad", "BACKOFF")
        fdsup.wait_state("tells", "UP")
        for host, port in (("127.0.0.1", self.port), ("::1", long_port)):
            s = self.connect(port, host)
            s.sendall(b"x")
            s.recv(1)
        return fdsup

    def check_columns(self, lines, heads, width):
        """Where the head has a column of text, each row has a blank before it."""
        # Numbers end where their head ends.
        starts = [m.start() for m in re.finditer(r"(?<=  )(?!PID)\S", lines[0])]
        self.assertGreaterEqual(len(starts), min(heads, 1), lines[0])
        for line in lines[1:]:
            if line.startswith("    ") or re.match(r"\d+ of \d+ services", line):
                continue
            for start in starts:
                before = cut(line, start)
                self.assertTrue(before.endswith(" ") or len(line) <= start, (width, start, lines[0], line))

    def test_listings_fit_from_40_columns_to_200(self):
        fdsup = self.services()
        ctl = "%s/fdsupctl -s %s " % (BIN, fdsup.socket_path)
        for width in WIDTHS:
            terminal = self.terminal(width)
            for verb, heads in (("status", 2), ("workers", 2), ("listeners", 2), ("deaths", 2), ("connections", 2)):
                lines = terminal.run(ctl + verb)
                whole = fdsup.ctl(verb)[1]
                self.assertEqual(len(lines), whole.count("\n"), (width, verb, lines, whole))
                for line in lines:
                    self.assertLessEqual(columns(line), width, (verb, line))
                if verb in ("status", "deaths"):
                    self.check_columns(lines, heads, width)
            lines = terminal.run(ctl + "explain bad")
            self.assertEqual(" ".join(lines).split()[:3], ["bad", "is", "BACKOFF,"])
            self.assertTrue(all(columns(line) <= width for line in lines))
            terminal.close()

    def test_colour_only_where_it_is_wanted(self):
        fdsup = self.services()
        ctl = "%s/fdsupctl -s %s status" % (BIN, fdsup.socket_path)
        terminal = self.terminal(100)
        self.assertIn("\033[33m", "\n".join(terminal.run(ctl, colours=True)))
        self.assertNotIn("\033[3", "\n".join(terminal.run("NO_COLOR=1 " + ctl, colours=True)))
        self.assertNotIn("\033[3", "\n".join(terminal.run("TERM=dumb " + ctl, colours=True)))
        self.assertIn("▲ bad", "\n".join(terminal.run(ctl)))
        self.assertIn("! bad", "\n".join(terminal.run("LC_ALL=C " + ctl)))
        self.assertRegex("\n".join(terminal.run(ctl + " | cat", colours=True)), r"(?m)^bad +BACKOFF")

    def test_wide_and_control_characters_are_handled(self):
        fdsup = self.services()
        terminal = self.terminal(60)
        lines = terminal.run("%s/fdsupctl -s %s logs bad" % (BIN, fdsup.socket_path))
        self.assertEqual(len(lines), 1)
        self.assertIn("ä漢字 \\x1b[31mred xxx", lines[0])
        self.assertLessEqual(columns(lines[0]), 60)

    def test_top_paints_follows_the_size_and_leaves_the_terminal_as_it_was(self):
        fdsup = self.services()
        ctl = "%s/fdsupctl -s %s " % (BIN, fdsup.socket_path)
        terminal = self.terminal(80, 20)
        terminal.run("echo before")
        modes = terminal.run("stty -g")
        terminal.send(ctl + "top -i 250ms")
        wait_until("it is painted", lambda: any("q quits" in line for line in terminal.screen()))
        fdsup.order("stop", "echo")
        wait_until("it is painted again", lambda: any(re.search(r"echo +STOPPED", line)
                                                      for line in terminal.screen()))
        for width, height in ((40, 8), (120, 30), (57, 12)):
            terminal.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))
            wait_until("the new size", lambda: "q quits" in terminal.screen()[0]
                       and any("SERVICE" in line for line in terminal.screen()[:3]))
            self.assertLessEqual(len(terminal.screen()), height)
        terminal.key("q")
        wait_until("the screen is back", lambda: not any("q quits" in line for line in terminal.screen()))
        terminal.tmux("resize-window", "-t", "t", "-x", "80", "-y", "20")
        self.assertEqual(terminal.run("stty -g"), modes)
        for signal in ("TERM", "HUP", "INT"):
            terminal.send("sh -c 'echo $$ >%s/pid; exec %s top'" % (terminal.directory, ctl))
            wait_until("it is painted", lambda: any("q quits" in line for line in terminal.screen()))
            with open(terminal.directory + "/pid") as f:
                subprocess.run(["kill", "-" + signal, f.read().strip()], check=True)
            wait_until("the screen is back", lambda: not any("q quits" in line for line in terminal.screen()))
            self.assertEqual(terminal.run("stty -g"), modes)
        terminal.send(ctl + "top")
        wait_until("it is painted", lambda: any("q quits" in line for line in terminal.screen()))
        fdsup.stop()
        wait_until("it has ended", lambda: any("fdsup has ended" in line for line in terminal.screen()))

    def test_top_needs_a_terminal(self):
        fdsup = self.services()
        code, output, error = fdsup.ctl("top")
        self.assertEqual((code, output), (64, ""))
        self.assertIn("fdsupctl status", error)

    def test_everything_on_one_page(self):
        fdsup = self.services()
        code, output, _ = fdsup.ctl("status", "-a")
        self.assertEqual(code, 150)
        for title in ("fdsup ", "SERVICE", "LISTENERS", "WORKERS", "DEATHS", "CONNECTIONS"):
            self.assertRegex(output, r"(?m)^%s" % title)
        everything = json.loads(fdsup.ctl("status", "-a", "--json")[1])
        for member in ("daemon", "services", "listeners", "workers", "deaths", "connections"):
            self.assertIn(member, everything)
        self.assertEqual({d["service"] for d in everything["deaths"]}, {"bad"})
        self.assertEqual(json.loads(fdsup.ctl("status", "-a", "--json", "echo")[1])["deaths"], [])


def character_width(c):
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def columns(line):
    return sum(map(character_width, line))


def cut(line, width):
    """What stands in the first columns."""
    taken = 0
    for i, c in enumerate(line):
        if taken >= width:
            return line[:i]
        taken += character_width(c)
    return line


if __name__ == "__main__":
    main()

"""Completion in real shells: the words that bash, zsh and fish offer for a line that is being typed."""
import os
import shutil
import subprocess
import unittest

from support import BIN, LONG, Test, free_port, main, reap_orphans

COMPLETION = os.path.join(os.path.normpath(os.path.join(BIN, os.pardir)), "completion")


class Completion(Test):
    def setUp(self):
        super().setUp()
        self.fdsup = self.fdsup('mail = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };'
                                'web = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };'
                                % (free_port(), free_port()))
        self.environment = dict(os.environ, PATH="%s:%s" % (BIN, os.environ["PATH"]), LC_ALL="C.UTF-8",
                                FDSUP_SOCKET=self.fdsup.socket_path, HOME=self.fdsup.directory)

    def tearDown(self):
        for daemon in self.daemons:
            daemon.stop()
        reap_orphans()  # of the shells
        super().tearDown()

    def run_shell(self, *command):
        done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=LONG)
        self.assertEqual((done.returncode, done.stderr), (0, b""), command)
        return done.stdout.decode().split("\n")

    def bash(self, *words):
        """What is offered for the last word; the function is the one that bash would call."""
        script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
                  ' "$(complete -p "$1" | sed "s/.*-F \\([^ ]*\\).*/\\1/")"; printf "%s\\n" "${COMPREPLY[@]}"')
        return set(filter(None, self.run_shell("bash", "-c", script, "bash", COMPLETION + "/bash/fdsupctl", *words)))

    def test_bash(self):
        verbs = {line.split()[0] for line in self.fdsup.order("help").split("\n\n")[1].split("\n")}
        self.assertEqual(self.bash("fdsupctl", ""), verbs)
        self.assertEqual(self.bash("fdsupctl", "sta"), {"status", "start"})
        self.assertEqual(self.bash("fdsupctl", "stop", ""), {"mail", "web"})
        self.assertEqual(self.bash("fdsupctl", "--json", "stop", "m"), {"mail"})
        self.assertEqual(self.bash("fdsupctl", "reload", ""), set())
        self.assertEqual(self.bash("fdsupctl", "reload", "--d"), {"--dry-run"})
        self.assertEqual(self.bash("fdsupctl", "logs", "--"), {"--socket", "--json", "--lines", "--follow", "--help",
                                                              "--version"})
        self.assertEqual(self.bash("fdsupctl", "workers", "-o", ""), {"pid", "service", "state", "gen", "user",
                                                                     "uptime", "command"})
        self.assertIn("BACKOFF", self.bash("fdsupctl", "status", "--state", ""))
        self.assertIn("--show-config", self.bash("fdsup", "--"))
        self.environment["FDSUP_SOCKET"] = "/nonexistent"
        self.assertEqual(self.bash("fdsupctl", "stop", ""), set())
        self.assertEqual(self.bash("fdsupctl", "-s", self.fdsup.socket_path, "stop", "w"), {"web"})

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        def fish(line):
            # found by the name of the program, as it will be where it is installed
            script = "set fish_complete_path %s/fish; complete -C '%s'" % (COMPLETION, line)
            return {text.split("\t")[0] for text in self.run_shell("fish", "--no-config", "-c", script) if text}
        self.assertLessEqual({"status", "start"}, fish("fdsupctl sta"))
        self.assertEqual(fish("fdsupctl stop "), {"mail", "web"})
        self.assertEqual(fish("fdsupctl reload --dry"), {"--dry-run"})
        self.assertLessEqual({"pid", "uptime"}, fish("fdsupctl workers -o "))
        self.assertIn("--show-config", fish("fdsup --show"))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        # zsh completes on a terminal only: one is made for it by its own module, and asked for the list.
        script = r'''
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; PROMPT=; unsetopt zle_bracketed_paste; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D"
zpty -w z "zstyle ':completion:*' list-colors ''; LISTMAX=1000; print rea''dy"
zpty -r -m z line '*ready*'
zpty -w -n z "$2"$'\t'
zpty -w -n z $'\n'
zpty -w z "print d''one"
zpty -r -m z line '*done*'
print -r -- "$line"
zpty -d z
'''
        def zsh(line):
            return "\n".join(self.run_shell("zsh", "-f", "-c", script, "zsh", COMPLETION + "/zsh", line))
        self.assertIn("fdsupctl stop mail", zsh("fdsupctl stop m"))
        self.assertIn("fdsupctl status", zsh("fdsupctl statu"))
        self.assertIn("--dry-run", zsh("fdsupctl reload --dr"))


if __name__ == "__main__":
    main()

"""Connections whose time is over, and those that are ended by order: their place is free afterwards."""
import json
import os
import socket
import time

from support import LONG, TAKER, Test, as_nobody, free_port, is_running, main, needs_root, wait_until


class Lapse(Test):
    def service(self, keys, port=None, prefix=(), top="", name="s"):
        port = port or free_port()
        fdsup = self.unstarted(
            '%s = { address = "127.0.0.1"; port = %d; %s };' % (name, port, keys), top, prefix=prefix)
        return fdsup, port

    def started(self, keys, **more):
        fdsup, port = self.service(keys, **more)
        fdsup.start()
        return fdsup, port

    def wait_closed(self, client):
        """The client sees the end: a reset, or the end of the stream. Returns what came before."""
        client.settimeout(LONG)
        got = b""
        try:
            while True:
                piece = client.recv(4096)
                if not piece:
                    return got
                got += piece
        except ConnectionError:
            return got

    def wait_free(self, fdsup, name="s"):
        fdsup.wait_status(name, lambda s: s["connections"]["used"] == 0, "no connections")

    def connections(self, fdsup, *arguments):
        return json.loads(fdsup.order("--json", "connections", *arguments))["connections"]

    def wait_connections(self, fdsup, count, *arguments):
        return wait_until("%d connections" % count, lambda: (
            lambda rows: rows if len(rows) == count else None)(self.connections(fdsup, *arguments)))

    def python(self, fdsup, name, text):
        path = os.path.join(fdsup.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return '"/usr/bin/env", "python3", "-B", "%s"' % path

    # -- timeouts

    def test_who_sends_nothing_is_disconnected_and_who_sends_is_not(self):
        fdsup, port = self.started('command = [ "/bin/cat" ]; first_byte_timeout = "500ms";')
        busy = self.connect(port)
        busy.sendall(b"?")
        silent = self.connect(port)
        self.assertEqual(self.wait_closed(silent), b"")
        line = fdsup.wait_log(" END .*reason=first_byte_timeout").string
        self.assertIn(" in=0 out=0 ", line)
        self.assertEqual(busy.recv(10), b"?")
        # It has been looked at by now, and is silent: that is no business of this key.
        again = self.connect(port)
        self.wait_closed(again)
        busy.sendall(b"!")
        self.assertEqual(busy.recv(10), b"!")
        status = fdsup.wait_status("s", lambda s: s["lapsed"] == 2, "two ended")
        self.assertEqual(status["failed"], 0)
        self.assertEqual(status["connections"]["used"], 1)
        self.assertEqual(status["state"], "UP")
        self.assertIn("2 connections were ended by first_byte_timeout", fdsup.ctl("status", "-v")[1])

    def test_silence_ends_and_traffic_does_not(self):
        fdsup, port = self.started('command = [ "/bin/cat" ]; silence_timeout = "1s";')
        busy, silent = self.connect(port), self.connect(port)
        silent.sendall(b"once")
        silent.settimeout(0.1)
        began = time.monotonic()
        got, is_over = b"", False
        while not is_over:
            busy.sendall(b".")
            self.assertEqual(busy.recv(10), b".")
            try:
                piece = silent.recv(10)
                got, is_over = got + piece, not piece
            except socket.timeout:
                self.assertLess(time.monotonic() - began, LONG)
            except ConnectionError:
                is_over = True
        self.assertEqual(got, b"once")
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertIn(" in=4 out=4 ", fdsup.wait_log(" END .*reason=silence_timeout").string)
        busy.sendall(b"!")
        self.assertEqual(busy.recv(10), b"!")

    def test_a_command_that_ignores_everything_frees_its_place(self):
        fdsup, port = self.service("")
        command = fdsup.script("hang", "trap '' TERM\necho hello\nwhile :; do sleep 1000; done\n")
        fdsup.write('s = { address = "127.0.0.1"; port = %d; command = "%s"; max_duration = "500ms"; '
                    'stop_timeout = "300ms"; max_connections = 1; };' % (port, command))
        fdsup.start()
        for n in range(1, 3):
            self.assertEqual(self.wait_closed(self.connect(port)), b"hello\n")
            fdsup.wait_log(" END .*signal=KILL .*reason=max_duration", n)
        self.wait_free(fdsup)

    def test_a_command_that_outlives_its_client_is_silent(self):
        fdsup, port = self.started(
            'command = [ "/bin/sleep", "1000" ]; silence_timeout = "500ms";')
        self.connect(port).close()
        fdsup.wait_log(" END .*signal=TERM .*reason=silence_timeout")
        self.wait_free(fdsup)

    @needs_root
    def test_a_program_that_has_it_and_hangs_costs_no_place(self):
        fdsup, port = self.service("")
        command = self.python(fdsup, "hang.py", TAKER + """
queue = socket.socket(fileno=3)
kept = []
while True:
    kept.append(take(queue)[1])
""")
        fdsup.write('s = { address = "127.0.0.1"; port = %d; type = "worker"; command = [ %s ]; '
                    'max_connections = 2; silence_timeout = "500ms"; };' % (port, command))
        fdsup.start()
        for n in (2, 4):
            clients = [self.connect(port) for _ in range(2)]
            for client in clients:
                self.assertEqual(self.wait_closed(client), b"")
            fdsup.wait_log(" END .*reason=silence_timeout", n)
        self.wait_free(fdsup)

    @needs_root
    def test_redirected_connections_too(self):
        with socket.create_server(("127.0.0.1", 0)) as target:
            fdsup, port = self.started('type = "redirect"; to = "127.0.0.1:%d"; silence_timeout = "500ms";'
                                       % target.getsockname()[1])
            client = self.connect(port)
            client.sendall(b"?")
            with target.accept()[0] as server:
                server.settimeout(LONG)
                self.assertEqual(server.recv(10), b"?")
                self.assertEqual(self.wait_closed(client), b"")
                self.wait_closed(server)
            fdsup.wait_log(" END .*reason=silence_timeout")
            self.wait_free(fdsup)

    def test_a_new_limit_holds_for_those_that_are_there(self):
        fdsup, port = self.started('command = [ "/bin/cat" ];')
        client = self.connect(port)
        client.sendall(b"?")
        self.assertEqual(client.recv(10), b"?")
        fdsup.write('s = { address = "127.0.0.1"; port = %d; command = [ "/bin/cat" ]; '
                    'max_duration = "100ms"; };' % port)
        fdsup.order("reload")
        self.wait_closed(client)
        fdsup.wait_log(" END .*reason=max_duration")

    def test_it_holds_across_a_death_of_the_acceptor(self):
        fdsup, port = self.started('command = [ "/bin/cat" ]; silence_timeout = "1s";')
        client = self.connect(port)
        client.sendall(b"?")
        self.assertEqual(client.recv(10), b"?")
        os.kill(fdsup.acceptor_pid(), 9)
        self.wait_closed(client)
        fdsup.wait_log(" END .*reason=silence_timeout")
        self.wait_free(fdsup)

    def test_without_root_the_command_is_ended(self):
        prefix = as_nobody() if os.geteuid() == 0 else []
        fdsup, port = self.service('command = [ "/bin/cat" ]; first_byte_timeout = "300ms";', prefix=prefix)
        os.chmod(fdsup.directory, 0o777)
        fdsup.start()
        self.assertEqual(self.wait_closed(self.connect(port)), b"")
        fdsup.wait_log(" END .*signal=TERM .*reason=first_byte_timeout")

    def test_over_a_unix_socket_a_command_has_a_longest_duration(self):
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "socket")
        fdsup.write('s = { address = "unix:%s"; command = [ "/bin/cat" ]; max_duration = "300ms"; };' % path)
        fdsup.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            self.assertEqual(self.wait_closed(client), b"")
        fdsup.wait_log(" END .*signal=TERM .*reason=max_duration")

    def test_what_cannot_be_honoured_is_an_error(self):
        port = free_port()
        where = 'address = "127.0.0.1"; port = %d;' % port
        cases = [
            ('ledger = "reports";', where + 'command = "/bin/cat"; silence_timeout = 1;',
             [], 'services.s.silence_timeout: .*ledger = "kernel"'),
            ("", 'address = "unix:@fdsup-lapse-test"; command = "/bin/cat"; first_byte_timeout = 1;',
             [], "services.s.first_byte_timeout: .*max_duration"),
            ("", 'address = "unix:@fdsup-lapse-test"; type = "worker"; command = "/bin/cat"; max_duration = 1;',
             [], "services.s.max_duration: only a command"),
        ]
        if os.geteuid() == 0:
            cases.append(("", where + 'type = "builtin"; builtin = "echo"; silence_timeout = 1;', as_nobody(),
                          "services.s.silence_timeout: only root"))
        for top, keys, prefix, pattern in cases:
            fdsup = self.unstarted("s = { %s };" % keys, top, prefix=prefix)
            with self.assertRaises(AssertionError):
                fdsup.start()
            self.assertRegex(fdsup.log(), pattern)
            fdsup.close()

    # -- kill-connection

    def test_one_of_two_is_ended_by_its_id(self):
        fdsup, port = self.started('command = [ "/bin/cat" ];')
        first, second = self.connect(port), self.connect(port)
        for client in (first, second):
            client.sendall(b"?")
            self.assertEqual(client.recv(10), b"?")
        peer = "127.0.0.1:%d" % first.getsockname()[1]
        row = next(r for r in self.wait_connections(fdsup, 2) if r["peer"] == peer)
        self.assertEqual(fdsup.order("kill-connection", row["id"]), "s: %s ended\n" % row["id"])
        self.assertEqual(self.wait_closed(first), b"")
        line = fdsup.wait_log(" END id=%s .*reason=kill-connection" % row["id"]).string
        self.assertIn(" in=1 out=1 ", line)
        fdsup.wait_log("kill-connection %s ordered by uid %d .*: ended" % (row["id"], os.geteuid()))
        second.sendall(b"!")
        self.assertEqual(second.recv(10), b"!")
        code, output, error = fdsup.ctl("--json", "kill-connection", row["id"])
        outcome = json.loads(output)["outcomes"][0]
        self.assertEqual((code, outcome["ended"], outcome["service"]), (1, False, None))
        self.assertIn("there is no such connection", error)
        self.assertEqual(fdsup.status("s")["lapsed"], 0)

    def test_never_everything_by_accident(self):
        fdsup, port = self.started('command = [ "/bin/cat" ];')
        client = self.connect(port)
        row = self.wait_connections(fdsup, 1)[0]
        self.assertEqual(fdsup.ctl("kill-connection")[0], 64)
        self.assertEqual(fdsup.ctl("kill-connection", row["id"], "s")[0], 64)
        self.assertEqual(fdsup.ctl("kill-connection", row["id"], "--source", "127.0.0.1")[0], 64)
        self.assertEqual(fdsup.ctl("kill-connection", "nosuchservice")[0], 4)
        self.assertEqual(fdsup.ctl("kill-connection", "--source", "192.0.2.1")[0], 1)
        self.assertEqual(fdsup.ctl("kill-connection", "--worker", "1")[0], 1)
        client.sendall(b"?")
        self.assertEqual(client.recv(10), b"?")

    def test_a_selection(self):
        fdsup, port = self.started('command = [ "/bin/cat" ];')
        here = self.connect(port)
        there = socket.create_connection(("127.0.0.1", port), LONG, ("127.0.0.2", 0))
        self.sockets.append(there)
        self.wait_connections(fdsup, 2)
        fdsup.order("kill-connection", "--source", "127.0.0.2", "s")
        self.assertEqual(self.wait_closed(there), b"")
        here.sendall(b"?")
        self.assertEqual(here.recv(10), b"?")
        fdsup.order("kill-connection", "s")
        self.assertEqual(self.wait_closed(here), b"")
        self.wait_free(fdsup)

    def test_a_command_that_ignores_term_is_killed(self):
        fdsup, port = self.service("")
        command = fdsup.script("hang", "trap '' TERM\necho $$\nwhile :; do sleep 1000; done\n")
        fdsup.write('s = { address = "127.0.0.1"; port = %d; command = "%s"; stop_timeout = "300ms"; };'
                    % (port, command))
        fdsup.start()
        client = self.connect(port)
        pid = int(client.recv(20))
        row = self.wait_connections(fdsup, 1, "--state", "started")[0]
        self.assertEqual(row["pid"], pid)
        fdsup.order("kill-connection", row["id"])
        self.wait_closed(client)
        wait_until("the end of the command", lambda: not is_running(pid))
        fdsup.wait_log(" END .*signal=KILL .*reason=kill-connection")
        self.wait_free(fdsup)

    @needs_root
    def test_one_that_waits_in_the_queue(self):
        fdsup, port = self.started('type = "worker"; command = [ "/bin/sleep", "1000" ];')
        queued = self.connect(port)
        row = self.wait_connections(fdsup, 1, "--state", "queued")[0]
        fdsup.order("kill-connection", row["id"])
        self.assertEqual(self.wait_closed(queued), b"")
        fdsup.wait_log(" END id=%s .*reason=kill-connection" % row["id"])
        self.wait_free(fdsup)

    def test_without_root_only_a_command_can_be_ended(self):
        prefix = as_nobody() if os.geteuid() == 0 else []
        fdsup, port = self.service("", prefix=prefix)
        other = free_port()
        fdsup.write('s = { address = "127.0.0.1"; port = %d; command = [ "/bin/cat" ]; };\n'
                    'b = { address = "127.0.0.1"; port = %d; type = "builtin"; builtin = "echo"; };'
                    % (port, other))
        os.chmod(fdsup.directory, 0o777)
        fdsup.start()
        command, builtin = self.connect(port), self.connect(other)
        for client in (command, builtin):
            client.sendall(b"?")
            self.assertEqual(client.recv(10), b"?")
        fdsup.order("kill-connection", self.wait_connections(fdsup, 1, "s")[0]["id"])
        self.assertEqual(self.wait_closed(command), b"")
        code, _, error = fdsup.ctl("kill-connection", self.wait_connections(fdsup, 1, "b")[0]["id"])
        self.assertEqual(code, 1)
        self.assertIn("run fdsup as root", error)
        builtin.sendall(b"!")
        self.assertEqual(builtin.recv(10), b"!")

    @needs_root
    def test_who_may_only_look_may_not_end(self):
        fdsup, port = self.started('command = [ "/bin/cat" ];', top='admin = { status = [ "*" ]; };')
        client = self.connect(port)
        row = self.wait_connections(fdsup, 1)[0]
        code, _, error = fdsup.ctl("kill-connection", row["id"], prefix=as_nobody())
        self.assertNotEqual(code, 0)
        client.sendall(b"?")
        self.assertEqual(client.recv(10), b"?")


if __name__ == "__main__":
    main()

"""A worker socket as an entrance: other programs send connections that they have accepted."""
import array
import os
import socket
import subprocess
import threading

from support import BIN, TAKER, Test, as_nobody, children, free_port, main, wait_until


class Entrance(Test):
    def entrance(self, keys="", command="/bin/cat", name=None, extra=""):
        """Starts fdsup with a service "e" that has nothing but a worker socket."""
        fdsup = self.unstarted("")
        name = name or os.path.join(fdsup.directory, "worker.sock")
        fdsup.write('e = { worker_socket = "%s"; command = "%s"; %s };\n%s' % (name, command, keys, extra))
        fdsup.start()
        return fdsup, name

    def sender(self, name):
        sender = socket.socket(socket.AF_UNIX)
        sender.connect("\0" + name[1:] if name[0] == "@" else name)
        self.sockets.append(sender)
        return sender

    def pair(self):
        """A TCP connection: the client's end, and the one that a program has accepted."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            self.sockets.append(client)
            client.settimeout(30)
            accepted, _ = listener.accept()
            return client, accepted

    def send(self, sender, *descriptors):
        socket.send_fds(sender, [b"\0"], [d.fileno() if hasattr(d, "fileno") else d for d in descriptors])

    def pass_one(self, sender):
        client, accepted = self.pair()
        self.send(sender, accepted)
        accepted.close()
        return client

    def assert_echo(self, client, text=b"echo"):
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(client.recv(100), text)
        self.assertEqual(client.recv(100), b"")

    def test_connections_of_another_program_are_served(self):
        fdsup, name = self.entrance()
        sender = self.sender(name)
        for _ in range(20):
            client = self.pass_one(sender)
            self.assert_echo(client)
            end = fdsup.wait_log("e: END .* peer=127.0.0.1:%d local=127.0.0.1:" % client.getsockname()[1])
            self.assertIn("status=0", end.string)
        self.assertEqual(fdsup.status("e")["served"], 20)
        self.assertEqual(os.stat(name).st_mode & 0o777, 0o600)
        self.assertEqual(fdsup.status("e")["listen"], ["unix " + name])

    def test_an_acceptor_by_hand_and_a_port_of_our_own(self):
        own, other = free_port(), free_port()
        fdsup, name = self.entrance('address = "127.0.0.1"; port = %d;' % own)
        acceptor = subprocess.Popen([os.path.join(BIN, "fdsup-acceptor"), "127.0.0.1", str(other), name],
                                    stderr=subprocess.DEVNULL)
        try:
            def is_listening():
                try:
                    return socket.create_connection(("127.0.0.1", other)).close() or True
                except ConnectionRefusedError:
                    return False
            wait_until("the acceptor listens", is_listening)
            self.assertEqual(self.talk(own, b"own"), b"own")
            self.assertEqual(self.talk(other, b"other"), b"other")
        finally:
            acceptor.terminate()
            acceptor.wait()

    def test_a_command_finds_a_blocking_connection_with_its_addresses(self):
        fdsup = self.unstarted("")
        script = fdsup.script("show", 'echo "$REMOTE_ADDR $REMOTE_PORT $LOCAL_PORT"; cat\n')
        name = os.path.join(fdsup.directory, "sock")
        fdsup.write('e = { worker_socket = "%s"; command = "%s"; };' % (name, script))
        fdsup.start()
        client, accepted = self.pair()
        accepted.setblocking(False)
        expected = "127.0.0.1 %d %d\n" % (client.getsockname()[1], client.getpeername()[1])
        self.send(self.sender(name), accepted)
        accepted.close()
        client.sendall(b"x" * 300000)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := client.recv(65536):
            got += chunk
        self.assertEqual(got, expected.encode() + b"x" * 300000)

    def test_what_is_no_connection_is_closed_and_said_once(self):
        fdsup, name = self.entrance()
        sender = self.sender(name)
        self.assert_echo(self.pass_one(sender))
        fdsup.wait_log("e: END")
        before = self.descriptors(fdsup)
        with socket.create_server(("127.0.0.1", 0)) as listener, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, open("/dev/null") as file:
            for odd in (listener, datagrams, file):
                self.send(sender, odd)
        self.assert_echo(self.pass_one(sender))
        fdsup.wait_log("worker socket: process %d sends descriptors that are no stream sockets" % os.getpid())
        self.assertEqual(sum("no stream sockets" in line for line in fdsup.log().splitlines()), 1)
        wait_until("all are closed", lambda: self.descriptors(fdsup) <= before)

    def test_a_message_with_other_than_one_descriptor_ends_the_sender(self):
        fdsup, name = self.entrance()
        good = self.sender(name)
        self.assert_echo(self.pass_one(good))
        fdsup.wait_log("e: END")
        before = self.descriptors(fdsup)
        for n in (0, 2, 253):
            sender = self.sender(name)
            descriptors = array.array("i", [0] * n).tobytes()
            sender.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)] if n else [])
            sender.settimeout(30)
            self.assertEqual(sender.recv(1), b"")
        self.assert_echo(self.pass_one(good))
        wait_until("all are closed", lambda: self.descriptors(fdsup) <= before)

    def descriptors(self, fdsup):
        return len(os.listdir("/proc/%d/fd" % self.acceptor(fdsup)))

    @staticmethod
    def acceptor(fdsup):
        return next(pid for pid, name in children(fdsup.pid).items() if name == "fdsup-acceptor")

    def test_the_same_connection_twice_is_served_once(self):
        fdsup, name = self.entrance()
        client, accepted = self.pair()
        sender = self.sender(name)
        self.send(sender, accepted)
        self.send(sender, accepted)
        accepted.close()
        fdsup.wait_log("sends a connection a second time")
        self.assert_echo(client)
        fdsup.wait_log("e: END")
        self.assertEqual(fdsup.status("e")["served"], 1)

    def test_limits_hold_for_it_and_delay(self):
        fdsup, name = self.entrance("max_connections = 2;")
        sender = self.sender(name)
        first, second, third = (self.pass_one(sender) for _ in range(3))
        fdsup.wait_log("max_connections")
        for client in (first, second, third):
            self.assert_echo(client)
        self.assertEqual((fdsup.status("e")["refused"], fdsup.status("e")["lost"]), (0, 0))

    def test_who_may_send_at_a_path_and_at_an_abstract_name(self):
        fdsup, name = self.entrance('socket_user = "nobody";')
        abstract = "@fdsup-entrance-%d" % os.getpid()
        other, _ = self.entrance('user = "nobody";', name=abstract)
        program = ("import socket, sys\nname = sys.argv[1]\ns = socket.socket(socket.AF_UNIX)\n"
                   "s.connect('\\0' + name[1:] if name[0] == '@' else name)\n"
                   "l = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(l.getsockname())\n"
                   "a, _ = l.accept()\ntry: socket.send_fds(s, [b'\\0'], [a.fileno()])\nexcept OSError: pass\n"
                   "a.close()\nc.sendall(b'hello')\nc.shutdown(1)\nprint(c.recv(10))\n")

        def as_user(prefix, at):
            return subprocess.run([*prefix, "python3", "-c", program, at], capture_output=True, text=True,
                                  timeout=60)
        stranger = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
        self.assertEqual(as_user(as_nobody(), name).stdout, "b'hello'\n")
        self.assertIn("Permission denied", as_user(stranger, name).stderr)
        self.assertEqual(as_user(as_nobody(), abstract).stdout, "b'hello'\n")
        self.assertNotIn("hello", as_user(stranger, abstract).stdout)
        other.wait_log("process .* of uid 65533 may not send connections; name its user in the key socket_user")

    def test_a_reload_keeps_takes_away_and_gives_back(self):
        port = free_port()
        fdsup, name = self.entrance(extra='p = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        sender = self.sender(name)
        self.assert_echo(self.pass_one(sender))
        fdsup.write('e = { worker_socket = "%s"; command = "/bin/cat"; max_connections = 9; };' % name)
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        self.assert_echo(self.pass_one(sender))
        fdsup.write('e = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        late = self.pass_one(sender)
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        self.assert_echo(late)
        self.assertFalse(os.path.exists(name))
        self.assertEqual(self.talk(port, b"port"), b"port")
        sender.settimeout(30)
        self.assertEqual(sender.recv(1), b"")

    def test_senders_survive_nothing_but_the_acceptor_and_can_come_again(self):
        fdsup, name = self.entrance()
        self.assert_echo(self.pass_one(self.sender(name)))
        os.kill(self.acceptor(fdsup), 9)
        fdsup.wait_log("acceptor killed by SIGKILL")
        self.assert_echo(self.pass_one(self.sender(name)))

    def test_more_senders_than_places_wait(self):
        fdsup, name = self.entrance()
        senders = [self.sender(name) for _ in range(80)]
        clients = [self.pass_one(s) for s in senders]
        for client in clients[:40]:
            self.assert_echo(client)
        for sender in senders[:40]:
            sender.close()
        for client in clients[40:]:
            self.assert_echo(client)

    def test_a_worker_takes_them_too(self):
        fdsup = self.unstarted("")
        path = os.path.join(fdsup.directory, "worker.py")
        name = os.path.join(fdsup.directory, "sock")
        with open(path, "w") as f:
            f.write(TAKER + "q = socket.socket(fileno=3)\nwhile True:\n"
                    "    socket.socket(fileno=take(q)[1]).sendall(b'taken')\n")
        fdsup.write('e = { type = "worker"; worker_socket = "%s"; command = [ "/usr/bin/env", "python3", "%s" ]; };'
                    % (name, path))
        fdsup.start()
        self.assertEqual(self.pass_one(self.sender(name)).recv(10), b"taken")


if __name__ == "__main__":
    main()

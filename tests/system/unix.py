"""Unix sockets to listen on: who connects is known, who may is said, and no file is left or taken."""
import json
import os
import pwd
import socket
import stat
import subprocess
import threading

from support import LONG, TAKER, Test, as_nobody, free_port, main, needs_root, reap_orphans, wait_until

# A worker by hand: answers each connection with the record of its hand-off.
WORKER = TAKER + """
s = socket.socket(fileno=3)
while True:
    record, taken = take(s, 4096)
    with socket.socket(fileno=taken) as c:
        c.sendall(record)
"""

# Connects to the path in its first argument, and prints what it is sent.
CLIENT = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
          "s.shutdown(1); print(s.recv(65536).decode())")


class Unix(Test):
    def place(self, fdsup, name="s"):
        """Beside the configuration, in a directory that every user may enter."""
        return os.path.join(fdsup.directory, name)

    def unix(self, *services, top=""):
        """fdsup, not started; PATH in the services is a path of its own."""
        fdsup = self.unstarted()
        fdsup.write("\n".join(services).replace("PATH", self.place(fdsup)), top)
        return fdsup

    def started(self, *services):
        fdsup = self.unix(*services)
        fdsup.start()
        return fdsup, self.place(fdsup)

    def refused_start(self, fdsup):
        with self.assertRaises(AssertionError):
            fdsup.start()
        fdsup.wait()
        self.assertNotEqual(fdsup.returncode, 0)
        return fdsup.log()

    def open(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LONG)
        self.sockets.append(s)
        s.connect("\0" + path[1:] if path.startswith("@") else path)
        return s

    def ask(self, path, data=b""):
        s = self.open(path)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass # it may have answered, and gone, before
        return self.read_all(s)

    def reload(self, fdsup, *services):
        fdsup.write("\n".join(services).replace("PATH", self.place(fdsup)))
        fdsup.order("reload")

    def ask_as_nobody(self, path):
        return subprocess.run([*as_nobody(), "python3", "-c", CLIENT, path], capture_output=True, text=True)

    # -- serving

    def test_a_command_serves_a_path_and_knows_who_is_there(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/usr/bin/env"; log = [ "start", "end" ]; };')
        found = dict(line.split("=", 1) for line in self.ask(path).decode().split())
        self.assertEqual(found["PROTO"], "UNIX")
        self.assertEqual(found["FDSUP_PEER_UID"], str(os.geteuid()))
        self.assertEqual(found["FDSUP_PEER_PID"], str(os.getpid()))
        self.assertFalse([n for n in found if n.startswith(("REMOTE_", "LOCAL_", "TCP"))])
        fdsup.wait_log(r"e: START id=[0-9a-f]{16} peer=uid=%d,pid=%d local=unix pid=" % (os.geteuid(), os.getpid()))
        fdsup.wait_log("e: END .* status=0")

    def test_an_abstract_name_serves_and_leaves_no_file(self):
        name = "@fdsup-test-%d" % os.getpid()
        fdsup = self.fdsup('e = { address = "unix:%s"; command = "/bin/cat"; };' % name)
        self.assertEqual(self.ask(name, b"hello"), b"hello")
        self.assertEqual(sorted(os.listdir(fdsup.directory)), ["fdsup.conf", "run"])
        fdsup.stop()
        self.assertRaises(ConnectionRefusedError, self.open, name)

    def test_a_worker_gets_the_peer_in_its_record(self):
        fdsup = self.unix()
        script = os.path.join(fdsup.directory, "worker.py")
        with open(script, "w") as f:
            f.write(WORKER)
        name = "@fdsup-worker-%d" % os.getpid()
        fdsup.write('w = { address = [ "unix:%s", "unix:%s" ]; type = "worker"; command = "python3 %s"; };'
                    % (self.place(fdsup), name, script))
        fdsup.start()
        for address in (self.place(fdsup), name):
            record = self.ask(address)
            self.assertEqual(len(record), 72)
            family, uid, gid, pid = (int.from_bytes(record[i:j], "little")
                                     for i, j in ((24, 26), (32, 36), (36, 40), (40, 44)))
            self.assertEqual((family, uid, gid, pid), (socket.AF_UNIX, os.geteuid(), os.getegid(), os.getpid()))
            self.assertEqual(int.from_bytes(record[48:50], "little"), socket.AF_UNIX)
            self.assertNotEqual(record[8:16], bytes(8))

    def test_listeners_show_who_waits_in_the_kernel(self):
        name = "@fdsup-test-%d" % os.getpid()
        fdsup, path = self.started('e = { address = [ "unix:PATH", "unix:%s" ]; backlog = 7; command = "/bin/cat"; };'
                                   % name)
        try:
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close()  # NETLINK_SOCK_DIAG
        except OSError:
            self.skipTest("no sock_diag")
        fdsup.order("pause", "e")
        for address in [path] * 3 + ["\0" + name[1:]]:
            s = socket.socket(socket.AF_UNIX)
            self.sockets.append(s)
            s.connect(address)
        rows = {row["local"]: (row["accept_queue"], row["backlog"]) for row in fdsup.listeners("e")}
        self.assertEqual(rows, {path: (3, 7), name: (1, 7)})
        fdsup.order("resume", "e")
        wait_until("they are accepted", lambda: all(row["accept_queue"] == 0 for row in fdsup.listeners("e")))

    def test_unix_and_ip_addresses_stand_together(self):
        port = free_port()
        fdsup, path = self.started(
            'e = { address = [ "unix:PATH", "127.0.0.1" ]; port = %d; command = "/bin/cat"; };' % port)
        self.assertEqual(self.ask(path, b"unix"), b"unix")
        self.assertEqual(self.talk(port, b"tcp"), b"tcp")
        self.assertEqual(fdsup.status("e")["listen"], ["unix " + path, "tcp 127.0.0.1:%d" % port])
        self.assertEqual([(l["protocol"], l["local"]) for l in fdsup.listeners("e")],
                         [("unix", path), ("tcp", "127.0.0.1:%d" % port)])
        self.assertIn("unix " + path, fdsup.ctl("status", "e")[1])
        with open(os.path.join(fdsup.runtime_dir, "listeners")) as f:
            self.assertIn("unix %s 0 e\n" % path, f.read())

    def test_redirect_and_builtin_serve_unix_clients(self):
        port = free_port()
        fdsup, path = self.started(
            'r = { address = "unix:PATH"; to = "127.0.0.1:%d"; };' % port,
            'b = { address = "unix:PATH.b"; builtin = "echo"; };',
            'c = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % port)
        self.assertEqual(self.ask(path, b"x" * 300000), b"x" * 300000)
        self.assertEqual(self.ask(path + ".b", b"echo"), b"echo")
        fdsup.wait_log("r: END .* peer=uid=.* status=0")

    def test_a_program_that_accepts_itself_gets_a_unix_socket(self):
        fdsup = self.unix()
        script = os.path.join(fdsup.directory, "listen.py")
        with open(script, "w") as f:
            f.write("import socket\ns = socket.socket(fileno=3)\n"
                    "while True:\n    c, _ = s.accept()\n    c.sendall(b'mine')\n    c.close()\n")
        fdsup.write('l = { address = "unix:%s"; type = "listen"; command = "python3 %s"; };'
                    % (self.place(fdsup), script))
        fdsup.start()
        self.assertEqual(self.ask(self.place(fdsup)), b"mine")
        fdsup.stop()
        self.assertFalse(os.path.lexists(self.place(fdsup)))

    def test_max_per_source_counts_by_user(self):
        fdsup, path = self.started(
            'e = { address = "unix:PATH"; command = "/bin/cat"; max_per_source = 2; overflow = "refuse"; };')
        held = [self.open(path) for _ in range(2)]
        for s in held:
            s.sendall(b"x")
            self.assertEqual(s.recv(1), b"x")
        self.assertEqual(self.open(path).recv(1), b"")
        fdsup.wait_log("max_per_source=2 reached by uid=%d:" % os.geteuid())
        held.pop().close()
        fdsup.wait_status("e", lambda s: s["connections"]["used"] == 1, "room")
        self.assertEqual(self.ask(path, b"y"), b"y")

    def test_a_client_that_waits_for_no_answer_is_served(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        for _ in range(20):
            self.open(path).close()
        fdsup.wait_status("e", lambda s: s["served"] + s["failed"] == 20 and s["lost"] == 0, "twenty")

    # -- who may connect

    def test_the_socket_is_its_owners_alone_unless_told_otherwise(self):
        mask = os.umask(0)
        try:
            fdsup, path = self.started(
                'a = { address = "unix:PATH"; command = "/bin/cat"; };',
                'b = { address = "unix:PATH.b"; command = "/bin/cat"; socket_mode = "0666"; };')
        finally:
            os.umask(mask)
        status = os.stat(path)
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        self.assertEqual((status.st_uid, status.st_gid), (os.geteuid(), os.getegid()))
        self.assertEqual(stat.S_IMODE(os.stat(path + ".b").st_mode), 0o666)

    @needs_root
    def test_owner_and_group_are_given(self):
        fdsup, path = self.started(
            'a = { address = "unix:PATH"; command = "/bin/cat"; socket_user = 12345; socket_group = "daemon";'
            ' socket_mode = "0660"; };',
            'n = { address = "unix:PATH.n"; command = "/usr/bin/env"; socket_user = "nobody"; };')
        status = os.stat(path)
        self.assertEqual((status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)), (12345, 1, 0o660))
        self.assertIn("PermissionError", self.ask_as_nobody(path).stderr)
        self.assertIn("FDSUP_PEER_UID=65534", self.ask_as_nobody(path + ".n").stdout)

    @needs_root
    def test_a_reload_changes_owner_and_mode_of_the_same_socket(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };')
        before = os.stat(path)
        running = self.open(path)
        fdsup.write(('a = { address = "unix:PATH"; command = "/bin/cat"; socket_user = "nobody"; '
                     'socket_mode = "0606"; };').replace("PATH", path))
        fdsup.order("reload", "--dry-run")
        self.assertEqual(os.stat(path).st_mode, before.st_mode)
        fdsup.order("reload")
        after = os.stat(path)
        self.assertEqual((after.st_ino, after.st_uid, stat.S_IMODE(after.st_mode)),
                         (before.st_ino, pwd.getpwnam("nobody").pw_uid, 0o606))
        self.reload(fdsup, 'a = { address = "unix:PATH"; command = "/bin/cat"; };')
        self.assertEqual((os.stat(path).st_uid, os.stat(path).st_mode), (0, before.st_mode))
        running.sendall(b"x")
        self.assertEqual(running.recv(1), b"x")

    # -- what is in the way

    def test_a_stale_socket_is_replaced(self):
        fdsup = self.unix('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.place(fdsup))
        stale.close()
        fdsup.start()
        self.assertEqual(self.ask(self.place(fdsup), b"x"), b"x")

    def test_the_sockets_of_a_killed_fdsup_are_replaced(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        fdsup.process.kill()
        fdsup.wait()
        reap_orphans()
        self.assertTrue(os.path.lexists(path))
        fdsup.start()
        self.assertEqual(self.ask(path, b"x"), b"x")

    def test_a_file_in_the_way_is_left_alone(self):
        fdsup = self.unix('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        path = self.place(fdsup)
        with open(path, "w") as f:
            f.write("precious")
        self.assertRegex(self.refused_start(fdsup), "services.e: cannot listen on unix .*: there is something "
                         "that is not a socket; remove it")
        with open(path) as f:
            self.assertEqual(f.read(), "precious")
        os.unlink(path)
        os.symlink("elsewhere", path)
        self.assertRegex(self.refused_start(fdsup), "not a socket")
        self.assertFalse(os.path.lexists(os.path.join(fdsup.directory, "elsewhere")))

    def test_another_programs_socket_is_left_alone(self):
        fdsup = self.unix('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        path = self.place(fdsup)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            self.assertRegex(self.refused_start(fdsup), "another program listens there .*; stop it, or choose")
            self.assertTrue(os.path.lexists(path))

    def test_what_another_program_holds_is_had_when_it_has_gone(self):
        fdsup = self.unix('e = { address = [ "unix:PATH.first", "unix:PATH" ]; command = "/bin/cat"; };')
        path = self.place(fdsup)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            fdsup.start()
            fdsup.wait_log("cannot listen on unix %s: another program listens there" % path)
            self.open(path + ".first").close()
        fdsup.wait_log("e: unix %s has appeared and is listened on" % path)
        self.open(path).close()

    def test_a_name_that_is_taken_is_told(self):
        name = "@fdsup-taken-%d" % os.getpid()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind("\0" + name[1:])
            other.listen()
            fdsup = self.unix('e = { address = "unix:%s"; command = "/bin/cat"; };' % name)
            self.assertRegex(self.refused_start(fdsup), "the name is taken by another program")

    def test_a_directory_that_is_missing_is_told(self):
        fdsup = self.unix('e = { address = "unix:PATH/no/s"; command = "/bin/cat"; };')
        self.assertIn("its directory does not exist; make it first", self.refused_start(fdsup))

    def test_a_path_that_is_too_long_is_told_with_its_length(self):
        fdsup = self.unix('e = { address = "unix:/%s"; command = "/bin/cat"; };' % ("x" * 107))
        self.assertIn("this path has 108 bytes, a socket's may have 107", self.refused_start(fdsup))

    # -- reload and the end

    def test_a_reload_keeps_the_socket_and_those_who_wait(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        inode = os.stat(path).st_ino
        running = self.open(path)
        for keys in ('max_connections = 9;', 'umask = "077";', 'max_connections = 8;'):
            self.reload(fdsup, 'e = { address = "unix:PATH"; command = "/bin/cat"; %s };' % keys)
            self.assertEqual(os.stat(path).st_ino, inode)
            self.assertEqual(self.ask(path, b"x"), b"x")
        name = "@fdsup-reload-%d" % os.getpid()
        self.reload(fdsup, 'e = { address = [ "unix:%s", "unix:PATH" ]; command = "/bin/cat"; };' % name)
        self.assertEqual(os.stat(path).st_ino, inode)
        self.assertEqual(self.ask(name, b"x"), b"x")
        self.assertEqual(self.ask(path, b"x"), b"x")
        running.sendall(b"x")
        self.assertEqual(running.recv(1), b"x")

    def test_a_socket_moves_from_service_to_service(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/echo a"; };')
        inode = os.stat(path).st_ino
        steps = (('b = { address = "unix:PATH"; command = "/bin/echo b"; socket_mode = "0666"; };', b"b\n", 0o666),
                 ('b = { address = "unix:PATH"; builtin = "echo"; };', b"", 0o600),
                 ('a = { address = "unix:PATH"; command = "/bin/echo a"; };'
                  'b = { address = "unix:PATH.b"; command = "/bin/echo b"; };', b"a\n", 0o600),
                 ('a = { address = "unix:PATH.b"; command = "/bin/echo a"; };'
                  'b = { address = "unix:PATH"; command = "/bin/echo b"; };', b"b\n", 0o600))
        for text, answer, mode in steps:
            self.reload(fdsup, text)
            self.assertEqual(self.ask(path), answer)
            self.assertEqual((os.stat(path).st_ino, stat.S_IMODE(os.stat(path).st_mode)), (inode, mode))
        self.assertEqual(self.ask(path + ".b"), b"a\n")

    def test_a_socket_moves_while_clients_keep_coming(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };')
        answers, failures, is_over = [], [], threading.Event()

        def client():
            while not is_over.is_set():
                try:
                    answers.append(self.ask(path, b"x"))
                except OSError as error:
                    failures.append(error)
        threads = [threading.Thread(target=client) for _ in range(3)]
        for thread in threads:
            thread.start()
        for name in "babab":
            seen = len(answers)
            wait_until("answers", lambda: len(answers) > seen + 20)
            self.reload(fdsup, '%s = { address = "unix:PATH"; command = "/bin/cat"; };' % name)
        is_over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answers), {b"x"})

    def test_a_failed_reload_leaves_all_as_it_was(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };')
        before = os.stat(path)
        fdsup.write(('a = { address = [ "unix:PATH", "unix:PATH.new" ]; command = "/bin/cat"; socket_mode = "0666"; };'
                     'b = { address = "unix:PATH/no/b"; command = "/bin/cat"; };').replace("PATH", path))
        code, _, error = fdsup.ctl("reload")
        self.assertNotEqual(code, 0)
        self.assertRegex(error, "services.b: cannot listen on unix")
        after = os.stat(path)
        self.assertEqual((after.st_ino, after.st_mode), (before.st_ino, before.st_mode))
        self.assertFalse(os.path.lexists(path + ".new"))
        self.assertEqual(self.ask(path, b"x"), b"x")

    def test_stopping_and_removing_take_the_file_away(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };',
                                   'b = { address = "unix:PATH.b"; command = "/bin/cat"; };')
        fdsup.order("stop", "a")
        self.assertFalse(os.path.lexists(path))
        fdsup.order("start", "a")
        self.assertEqual(self.ask(path, b"x"), b"x")
        self.reload(fdsup, 'a = { address = "unix:PATH"; command = "/bin/cat"; };')
        self.assertFalse(os.path.lexists(path + ".b"))
        self.reload(fdsup, 'a = { address = "unix:PATH"; command = "/bin/cat"; enabled = false; };')
        self.assertFalse(os.path.lexists(path))
        self.reload(fdsup, 'a = { address = "unix:PATH"; command = "/bin/cat"; };')
        self.assertEqual(self.ask(path, b"x"), b"x")
        self.assertEqual(fdsup.stop(), 0)
        self.assertFalse(os.path.lexists(path))

    def test_the_file_of_another_is_not_removed(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };')
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.assertEqual(fdsup.stop(), 0)
            self.assertTrue(os.path.lexists(path))

    def test_a_socket_file_that_was_removed_is_told_and_can_be_made_anew(self):
        fdsup, path = self.started('a = { address = "unix:PATH"; command = "/bin/cat"; };')
        os.unlink(path)
        self.reload(fdsup, 'a = { address = "unix:PATH"; command = "/bin/cat"; max_connections = 5; };')
        fdsup.wait_log("a: somebody has removed or replaced the socket .* fdsupctl stop a, then fdsupctl start a")
        fdsup.order("stop", "a")
        fdsup.order("start", "a")
        self.assertEqual(self.ask(path, b"x"), b"x")

    def test_a_dead_fdsup_leaves_word_of_its_sockets(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        fdsup.process.kill()
        fdsup.wait()
        reap_orphans()
        code, output, _ = fdsup.ctl("status")
        self.assertRegex(output, r"unix +%s +0 +e" % path)

    def test_another_acceptor_takes_over(self):
        fdsup, path = self.started('e = { address = "unix:PATH"; command = "/bin/cat"; };')
        first = fdsup.acceptor_pid()
        os.kill(first, 9)
        wait_until("another acceptor", lambda: fdsup.acceptor_pid() != first)
        self.assertEqual(self.ask(path, b"x"), b"x")

    def silent_worker(self, keeps):
        """It says nothing of what it takes, and closes each after a byte, or keeps it."""
        fdsup = self.unix()
        script = os.path.join(fdsup.directory, "worker.py")
        with open(script, "w") as f:
            f.write(TAKER + "s = socket.socket(fileno=3)\nkept = []\nwhile True:\n"
                    "    c = socket.socket(fileno=take(s)[1])\n    c.sendall(b'x')\n"
                    "    kept.append(c) if %r else c.close()\n" % keeps)
        fdsup.write('w = { address = "unix:%s"; type = "worker"; command = "python3 %s"; };'
                    % (self.place(fdsup), script))
        fdsup.start()
        return fdsup, self.place(fdsup)

    def test_whom_silent_workers_served_is_counted_though_acceptors_died(self):
        """The kernel tells nothing of their ends: what has left the queue was served."""
        fdsup, path = self.silent_worker(keeps=False)
        for _ in range(4):
            for _ in range(10):
                self.assertEqual(self.ask(path), b"x")
            acceptor = fdsup.acceptor_pid()
            os.kill(acceptor, 9)
            wait_until("another acceptor", lambda: fdsup.acceptor_pid() != acceptor)
        self.assertEqual(self.ask(path), b"x")
        status = fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0, "their ends")
        self.assertEqual((status["accepted"], status["served"], status["lost"], status["refused"]), (41, 41, 0, 0))

    def test_what_a_silent_worker_has_taken_is_not_listed_as_queued(self):
        fdsup, path = self.silent_worker(keeps=True)
        client = self.open(path)
        self.assertEqual(client.recv(1), b"x")
        _, output, _ = fdsup.ctl("--json", "connections", "w")
        self.assertEqual([c["stage"] for c in json.loads(output)["connections"]], ["taken"])


if __name__ == "__main__":
    main()

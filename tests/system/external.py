"""type = "external": connections go to a worker that somebody else runs."""
import os
import signal
import socket
import subprocess
import sys
import threading

from support import Test, as_nobody, free_port, main, wait_until

# The plainest worker: one byte and one descriptor. Answers with its process id and what it was asked.
WORKER = r'''
import os, socket, sys
name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind("\0" + name[1:] if name[0] == "@" else name)
listener.listen()
sender, _ = listener.accept()
while True:
    message, fds, flags, address = socket.recv_fds(sender, 10, 2)
    if not message:
        sender, _ = listener.accept()
        continue
    assert message == b"\0" and len(fds) == 1, (message, fds)
    assert os.get_blocking(fds[0])
    with socket.socket(fileno=fds[0]) as connection:
        asked = connection.recv(1000)
        connection.sendall(b"%d " % os.getpid() + asked)
'''


class External(Test):
    def setUp(self):
        super().setUp()
        self.workers = []

    def tearDown(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()
        super().tearDown()

    def external(self, keys="", name=None):
        """Starts fdsup with a service "e"; returns it, its port and the name of the worker's socket."""
        fdsup = self.unstarted("")
        port = free_port()
        name = name or os.path.join(fdsup.directory, "worker.sock")
        self.configure(fdsup, port, name, keys)
        fdsup.start()
        return fdsup, port, name

    def configure(self, fdsup, port, name, keys=""):
        fdsup.write('e = { address = "127.0.0.1"; port = %d; type = "external"; worker_socket = "%s"; %s };'
                    % (port, name, keys))

    def worker(self, name, prefix=()):
        if name[0] != "@" and os.path.exists(name):
            os.unlink(name)
        worker = subprocess.Popen([*prefix, sys.executable, "-B", "-c", WORKER, name])
        self.workers.append(worker)
        return worker

    def ask(self, port, text=b"?"):
        return self.talk(port, text)

    def test_a_worker_of_somebody_else_serves(self):
        fdsup, port, name = self.external()
        worker = self.worker(name)
        for i in range(50):
            self.assertEqual(self.ask(port, b"%d" % i), b"%d %d" % (worker.pid, i))
        # The receipt of the last one may come after its answer.
        wait_until("all are counted", lambda: fdsup.status("e")["served"] == 50)
        self.assertEqual(fdsup.status("e")["lost"], 0)

    def test_clients_wait_for_a_worker_and_status_says_for_which(self):
        fdsup, port, name = self.external()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"early")
            fdsup.wait_log("cannot connect to the worker on %s: No such file" % name)
            service = fdsup.wait_state("e", "DEGRADED")
            told = "\n".join(service["explanation"])
            self.assertIn("1 connection waits for a worker", told)
            self.assertIn("cannot connect to the worker on %s" % name, told)
            self.assertIn("start the worker that listens on %s" % name, told)
            self.assertNotIn("workers.max", told)
            worker = self.worker(name)
            client.settimeout(30)
            self.assertEqual(client.recv(100), b"%d early" % worker.pid)
        fdsup.wait_log("connected to the worker on %s again" % name)
        fdsup.wait_state("e", "UP")

    def test_nothing_is_lost_when_the_worker_is_restarted(self):
        fdsup, port, name = self.external()
        worker = self.worker(name)
        self.ask(port)
        stop = threading.Event()
        answers, failures = [], []

        def client():
            while not stop.is_set():
                try:
                    answer = self.ask(port)
                except OSError as e:
                    failures.append(e)
                else:
                    (answers if answer else failures).append(answer)
        threads = [threading.Thread(target=client) for _ in range(8)]
        for t in threads:
            t.start()
        kills = 5
        for _ in range(kills):
            n = len(answers)
            wait_until("served again", lambda: len(answers) > n + 50)
            worker.kill()
            worker.wait()
            worker = self.worker(name)
        n = len(answers)
        wait_until("served again", lambda: len(answers) > n + 50)
        stop.set()
        for t in threads:
            t.join()
        # What it had in its hands was its own.
        self.assertLessEqual(len(failures), kills, failures)

    def test_a_worker_that_hangs_is_told_from_one_that_is_away(self):
        fdsup, port, name = self.external()
        worker = self.worker(name)
        self.ask(port)
        worker.send_signal(signal.SIGSTOP)
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"x")
            fdsup.wait_log("the worker on .* has received nothing for 3 s: 1 connections are in its socket")
            worker.send_signal(signal.SIGCONT)
            self.assertEqual(client.recv(100), b"%d x" % worker.pid)
        fdsup.wait_log("receives connections again")

    def test_a_relay_that_is_killed_is_replaced(self):
        fdsup, port, name = self.external()
        self.worker(name)
        self.ask(port)
        first = fdsup.workers("e")[0]
        self.assertEqual(first["command"], "fdsup-relay")
        os.kill(first["pid"], signal.SIGKILL)
        self.assertTrue(self.ask(port))
        self.assertNotEqual(fdsup.workers("e")[0]["pid"], first["pid"])

    def test_an_abstract_name_is_trusted_only_with_the_right_user(self):
        name = "@fdsup-test-%d" % os.getpid()
        fdsup, port, _ = self.external(name=name)
        worker = self.worker(name, as_nobody())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"x")
            fdsup.wait_log("cannot connect to the worker on %s: process .* of uid 65534 listens there" % name)
            self.configure(fdsup, port, name, 'socket_user = "nobody";')
            self.assertEqual(fdsup.ctl("reload")[0], 0)
            client.settimeout(30)
            self.assertEqual(client.recv(100), b"%d x" % worker.pid)

    def test_a_reload_changes_the_worker(self):
        fdsup, port, name = self.external()
        first, second = self.worker(name), self.worker(name + "2")
        self.assertEqual(self.ask(port), b"%d ?" % first.pid)
        self.configure(fdsup, port, name + "2")
        self.assertEqual(fdsup.ctl("reload")[0], 0)
        wait_until("the second serves", lambda: self.ask(port) == b"%d ?" % second.pid)
        self.assertEqual(fdsup.status("e")["lost"], 0)

    def test_clients_see_their_end_at_once(self):
        """No copy of ours keeps a connection open that the worker has closed."""
        fdsup, port, name = self.external()
        self.worker(name)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                client.sendall(b"x")
                while client.recv(100):
                    pass
        relay = fdsup.workers("e")[0]["pid"]
        wait_until("it lets go", lambda: not any(
            "socket:" in os.readlink("/proc/%d/fd/%s" % (relay, fd)) and self.is_tcp(relay, fd)
            for fd in os.listdir("/proc/%d/fd" % relay)))

    @staticmethod
    def is_tcp(pid, fd):
        inode = os.readlink("/proc/%d/fd/%s" % (pid, fd))[8:-1]
        with open("/proc/net/tcp") as f:
            return any(line.split()[9] == inode for line in f.readlines()[1:])


if __name__ == "__main__":
    main()

"""The builtin services by UDP: who is answered and who is not, on demand, through reloads."""
import os
import shutil
import signal
import socket
import unittest.mock

import support
from support import LONG, Test, children, free_port, is_running, main, needs_root, reap_zombies, run, wait_until

SERVICE = '%s = { address = "127.0.0.1"; port = %d; protocol = "udp"; builtin = "%s"; %s };\n'


class Udp(Test):
    def client(self, address="127.0.0.1", port=0):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.sockets.append(s)
        s.settimeout(LONG)
        s.bind((address, port))
        return s

    def ask(self, port, data=b"?", address="127.0.0.1"):
        with self.client("::1" if ":" in address else "127.0.0.1") as s:
            s.sendto(data, (address, port))
            answer, peer = s.recvfrom(65536)
            self.assertEqual(peer[:2], (address, port))
            return answer

    def echo(self, keys="", top=""):
        port = free_port()
        return self.fdsup(SERVICE % ("e", port, "echo", keys), top), port

    def assert_nothing_more(self, client):
        client.setblocking(False)
        with self.assertRaises(BlockingIOError):
            client.recv(100)
        client.settimeout(LONG)

    def assert_unanswered(self, client, port):
        """One that is answered comes after it, so that its answer would be there by then."""
        client.sendto(b"forged", ("127.0.0.1", port))
        self.assertEqual(self.ask(port, b"honest"), b"honest")
        self.assert_nothing_more(client)

    # -- what they say

    def test_all_of_them_answer(self):
        ports = {name: free_port() for name in ("echo", "discard", "chargen", "daytime", "time")}
        fdsup = self.fdsup("".join(SERVICE % (n, p, n, "") for n, p in ports.items()))
        self.assertEqual({s["state"] for s in fdsup.status()["services"]}, {"ON-DEMAND"})
        self.assertEqual(self.ask(ports["echo"], b"hello"), b"hello")
        self.assertEqual(self.ask(ports["echo"], b""), b"")
        self.assertEqual(len(self.ask(ports["time"])), 4)
        self.assertRegex(self.ask(ports["daytime"]), rb"\d\d:\d\d:\d\d")
        self.assertLessEqual(len(self.ask(ports["chargen"])), 512)
        with self.client() as s:
            s.sendto(b"gone", ("127.0.0.1", ports["discard"]))
            fdsup.wait_state("discard", "UP")
            self.assert_nothing_more(s)
        self.assertEqual(fdsup.status("echo")["state"], "UP")

    def test_explain_speaks_of_datagrams(self):
        fdsup, _ = self.echo()
        text = " ".join(fdsup.order("explain", "e").split())
        self.assertIn("Its program has the sockets and receives by itself.", text)
        self.assertIn("the first datagram starts", text)

    def test_it_is_shown(self):
        fdsup, port = self.echo()
        self.ask(port)
        service = fdsup.status("e")
        self.assertEqual((service["type"], service["listen"]), ("builtin", ["udp 127.0.0.1:%d" % port]))
        self.assertEqual(service["workers"], {"used": 1, "limit": 1})
        self.assertEqual([(s["protocol"], s["local"]) for s in fdsup.listeners("e")],
                         [("udp", "127.0.0.1:%d" % port)])
        worker, = fdsup.workers("e")
        self.assertEqual((worker["command"], worker["state"]), ("fdsup-builtin", "READY"))

    def test_the_answer_comes_from_the_address_that_was_asked(self):
        port = free_port()
        self.fdsup('e = { port = %d; protocol = "udp"; builtin = "echo"; };' % port)
        for address in "127.0.0.1", "127.0.0.3", "::1":
            self.assertEqual(self.ask(port, b"x", address), b"x")

    def test_tcp_and_udp_may_have_one_port(self):
        port = free_port()
        self.fdsup(SERVICE % ("u", port, "echo", "") + SERVICE.replace("udp", "tcp") % ("t", port, "echo", ""))
        self.assertEqual(self.talk(port, b"by tcp"), b"by tcp")
        self.assertEqual(self.ask(port, b"by udp"), b"by udp")

    # -- who is not answered

    @needs_root
    def test_a_low_port_is_never_answered(self):
        fdsup, port = self.echo()
        for low in range(1023, 900, -1):
            try:
                client = self.client(port=low)
                break
            except OSError:
                continue
        self.assert_unanswered(client, port)
        fdsup.wait_log("a datagram from 127.0.0.1:%d is not answered: .* below 1024" % low)

    def test_a_sender_is_named_no_more_than_log_address_allows(self):
        avoided, port = free_port(), free_port()
        whole = SERVICE % ("other", avoided, "time", "") + SERVICE % ("echo", port, "echo", '%s')
        fdsup = self.fdsup(whole % 'log_address = "prefix";')
        client = self.client("127.0.0.2", avoided)
        self.assert_unanswered(client, port)
        fdsup.wait_log("a datagram from 127.0.0.0/24 is not answered: ")
        pid, = fdsup.worker_pids("echo")
        fdsup.write(whole % 'log_address = "none";')
        self.assertIn("roll", fdsup.order("reload"))
        wait_until("its end", lambda: not is_running(pid))
        self.assert_unanswered(client, port)
        fdsup.wait_log("a datagram from - is not answered: ")
        self.assertEqual(fdsup.count_log(r"127\.0\.0\.2"), 0)

    def test_no_builtin_service_answers_another_nor_itself_elsewhere(self):
        one, two = free_port("127.0.0.2"), free_port("127.0.0.2")
        self.fdsup(SERVICE % ("a", one, "echo", "") + SERVICE % ("b", two, "time", ""))
        for port in one, two:
            self.assert_unanswered(self.client("127.0.0.2", port), one)

    def test_a_reload_tells_them_of_others_that_come_and_go(self):
        one, two = free_port(), free_port("127.0.0.2")
        a, b = SERVICE % ("a", one, "echo", ""), SERVICE % ("b", two, "time", "")
        fdsup = self.fdsup(a)
        other = self.client("127.0.0.2", two)
        other.sendto(b"x", ("127.0.0.1", one))
        self.assertEqual(other.recv(100), b"x")
        pid, = fdsup.worker_pids("a")

        fdsup.write(a + b)
        self.assertRegex(fdsup.order("reload", "--dry-run"), r"a +roll +services\.\*\.port")
        fdsup.order("reload")
        wait_until("its successor", lambda: fdsup.worker_pids("a") not in ([pid], []) and not is_running(pid))
        self.assert_unanswered(other, one)

        pid, = fdsup.worker_pids("a")
        fdsup.write(a)
        fdsup.order("reload")
        wait_until("its successor", lambda: fdsup.worker_pids("a") not in ([pid], []) and not is_running(pid))
        other.sendto(b"y", ("127.0.0.1", one))
        self.assertEqual(other.recv(100), b"y")
        pid, = fdsup.worker_pids("a")
        fdsup.order("reload")
        self.assertEqual(fdsup.worker_pids("a"), [pid])
        self.assertEqual(fdsup.status("a")["deaths"], 0)

    def test_rate_limits_the_answers(self):
        fdsup, port = self.echo('rate = "3/1h";')
        with self.client() as s:
            for _ in range(10):
                s.sendto(b"x", ("127.0.0.1", port))
            fdsup.wait_log("e: .*more than 3 datagrams in 60min: .* key rate")
            for _ in range(3):
                self.assertEqual(s.recv(100), b"x")
            self.assert_nothing_more(s)
        pid, = fdsup.worker_pids("e")
        fdsup.write(SERVICE % ("e", port, "echo", 'rate = "5/1h";'))
        fdsup.order("reload")
        wait_until("its successor", lambda: fdsup.worker_pids("e") not in ([pid], []) and not is_running(pid))
        self.assertEqual(self.ask(port), b"?")

    # -- how they live

    def test_it_leaves_when_it_is_idle_and_comes_back(self):
        fdsup, port = self.echo('idle_timeout = "200ms";')
        for _ in range(2):
            self.assertEqual(self.ask(port), b"?")
            fdsup.wait_state("e", "ON-DEMAND")
        self.assertEqual(fdsup.status("e")["deaths"], 0)

    def test_one_that_is_kept_stays_also_after_a_reload_and_a_kill(self):
        fdsup, port = self.echo('idle_timeout = "100ms"; workers = { min = 1; };')
        fdsup.wait_state("e", "UP")
        first, = fdsup.worker_pids("e")
        os.kill(first, signal.SIGKILL)
        self.assertEqual(self.ask(port), b"?")
        second, = fdsup.worker_pids("e")
        fdsup.write(SERVICE % ("e", port, "echo", 'idle_timeout = "200ms"; workers = { min = 1; };'))
        fdsup.order("reload")
        wait_until("the old one has gone", lambda: not is_running(second))
        self.assertEqual(self.ask(port), b"?")
        third, = fdsup.worker_pids("e")
        with open("/proc/%d/cmdline" % third, "rb") as f:
            self.assertIn(b"--idle-exit\0" b"0\0", f.read())
        self.assertEqual(fdsup.status("e")["deaths"], 1)

    def test_one_that_leaves_without_taking_the_datagram_does_not_spin(self):
        directory = self.unstarted("").directory
        for name in os.listdir(support.BIN):
            if name.startswith("fdsup"):
                shutil.copy(os.path.join(support.BIN, name), directory)
        with open(os.path.join(directory, "fdsup-builtin"), "w") as f:
            f.write("#!/bin/sh\nexit 0\n")
        os.chmod(os.path.join(directory, "fdsup-builtin"), 0o755)
        with unittest.mock.patch.object(support, "BIN", directory):
            fdsup, port = self.echo()
            with self.client() as s:
                s.sendto(b"x", ("127.0.0.1", port))
                service = fdsup.wait_status("e", lambda s: s["deaths"] >= 3, "three starts")
            self.assertFalse(service["healthy"])
            # 200, 400, 800 ms and so on: the next one is far away by now
            self.assertGreater(service["next_try_ms"] or 1000, 200)

    def test_stop_closes_the_socket_and_start_opens_it(self):
        fdsup, port = self.echo()
        self.ask(port)
        fdsup.order("stop", "e")
        with self.client() as s:
            s.connect(("127.0.0.1", port))
            s.send(b"x")
            with self.assertRaises(ConnectionRefusedError):
                s.recv(100)
        fdsup.order("start", "e")
        self.assertEqual(self.ask(port), b"?")
        fdsup.order("restart", "e")
        self.assertEqual(self.ask(port), b"?")

    def test_a_reload_changes_protocol_address_and_service(self):
        fdsup, port = self.echo()
        self.ask(port)
        fdsup.write(SERVICE % ("e", port, "time", ""))
        fdsup.order("reload")
        wait_until("the other service", lambda: len(self.ask(port, b"12345")) == 4)
        other = free_port()
        fdsup.write(SERVICE % ("e", other, "time", ""))
        fdsup.order("reload")
        self.assertEqual(len(self.ask(other, b"12345")), 4)
        fdsup.write(SERVICE.replace("udp", "tcp") % ("e", port, "echo", ""))
        fdsup.order("reload")
        self.assertEqual(self.talk(port, b"now by tcp"), b"now by tcp")

    def test_it_outlives_fdsup_and_is_taken_over(self):
        fdsup, port = self.echo('workers = { min = 1; };')
        self.ask(port)
        pids = fdsup.worker_pids("e")
        fdsup.process.kill()
        fdsup.wait()
        self.ask(port)
        fdsup.start()
        self.assertEqual(fdsup.worker_pids("e"), pids)
        self.ask(port)
        self.assertEqual(fdsup.stop(), 0)
        wait_until("nothing is left", lambda: reap_zombies() or not children())

    @needs_root
    def test_it_runs_without_rights_and_with_nothing_but_its_socket(self):
        fdsup, port = self.echo()
        self.ask(port)
        pid, = fdsup.worker_pids("e")
        with open("/proc/%d/status" % pid) as f:
            self.assertNotIn("Uid:\t0", f.read())

    # -- what is refused

    def test_keys_about_connections_are_refused(self):
        for keys, key in (("max_connections = 5;", "max_connections"), ("queue = 5;", "queue"),
                          ("backlog = 5;", "backlog"), ('log = "end";', "log"),
                          ('overflow = "refuse";', "overflow"), ("max_per_source = 1;", "max_per_source"),
                          ('rate_per_source = "1/s";', "rate_per_source"), ("keepalive = true;", "keepalive")):
            fdsup = self.unstarted(SERVICE % ("e", free_port(), "echo", keys))
            code, _, error = run("fdsup", "--check", "-c", fdsup.path)
            self.assertEqual(code, 1, error)
            self.assertRegex(error, r"conf:\d+: services\.e\.%s: means nothing for a builtin service "
                             'that answers datagrams; remove the key' % key)

    def test_defaults_about_connections_are_dropped_and_what_is_shown_loads(self):
        fdsup = self.unstarted(SERVICE % ("e", free_port(), "echo", ""),
                               "defaults = { max_connections = 5; workers = { max = 4; }; nodelay = true; };")
        code, shown, error = run("fdsup", "--show-config", "-c", fdsup.path)
        self.assertEqual((code, error), (0, ""))
        self.assertNotIn("max_connections", shown)
        with open(fdsup.path, "w") as f:
            f.write(shown)
        self.assertEqual(run("fdsup", "--check", "-c", fdsup.path)[0], 0)


if __name__ == "__main__":
    main()

"""Who may connect: allow and deny, on every way in, before any process exists."""
import os
import resource
import socket
import threading

from support import Test, as_nobody, children, free_port, main, needs_root, run, wait_until


class Access(Test):
    def serve(self, keys, address='"127.0.0.1"'):
        port = free_port()
        fdsup = self.fdsup(self.service(port, keys, address))
        return fdsup, port

    def service(self, port, keys, address='"127.0.0.1"'):
        return 's = { address = %s; port = %d; command = "/bin/cat"; %s };' % (address, port, keys)

    def ask(self, port, source, host="127.0.0.1"):
        """What comes back to a client at this address; b"" if it is turned away."""
        with socket.create_connection((host, port), 30, (source, 0)) as s:
            s.settimeout(30)
            try:
                s.sendall(b"hello")
                s.shutdown(socket.SHUT_WR)
                return s.recv(100)
            except OSError: # it was closed in between
                return b""

    def test_only_whom_allow_names(self):
        fdsup, port = self.serve('allow = [ "127.0.1.0/24", "127.0.2.7" ];')
        for source, expected in (("127.0.1.1", b"hello"), ("127.0.1.200", b"hello"), ("127.0.2.7", b"hello"),
                                 ("127.0.2.8", b""), ("127.0.0.1", b"")):
            self.assertEqual(self.ask(port, source), expected, source)
        fdsup.wait_log("s: REFUSED id=[0-9a-f]{16} peer=127.0.2.8:[0-9]+ local=127.0.0.1:%d reason=allow" % port)
        service = fdsup.wait_status("s", lambda s: s["served"] == 3 and s["refused"] == 2, "all counted")
        self.assertEqual(service["lost"], 0)

    def test_deny_wins(self):
        fdsup, port = self.serve('allow = "127.0.1.0/24"; deny = [ "127.0.1.5", "127.0.1.128/25" ];')
        self.assertEqual(self.ask(port, "127.0.1.4"), b"hello")
        self.assertEqual(self.ask(port, "127.0.1.5"), b"")
        fdsup.wait_log("REFUSED .*peer=127.0.1.5:.*reason=deny")
        self.assertEqual(self.ask(port, "127.0.1.129"), b"")

    def test_an_empty_allow_is_nobody_and_no_process_is_started(self):
        fdsup, port = self.serve("allow = [ ];")
        for _ in range(5):
            self.assertEqual(self.ask(port, "127.0.0.1"), b"")
        wait_until("all are counted", lambda: fdsup.status("s")["refused"] == 5)
        self.assertEqual(fdsup.status("s")["state"], "ON-DEMAND")
        self.assertEqual(sorted(children(fdsup.pid).values()), ["fdsup-acceptor", "fdsup-keeper"])

    def test_ipv4_clients_of_a_listener_for_both_families_are_ipv4(self):
        fdsup, port = self.serve('allow = [ "127.0.1.1", "::1" ];', '"*"')
        self.assertEqual(self.ask(port, "127.0.1.1"), b"hello")
        self.assertEqual(self.ask(port, "127.0.1.2"), b"")
        self.assertEqual(self.ask(port, "::1", "::1"), b"hello")

    def test_defaults_hold_for_services_before_and_behind_them(self):
        ports = free_port(), free_port(), free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };'
                           'b = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; allow = "127.0.9.9"; };'
                           'l = { type = "listen"; address = "127.0.0.1"; port = %d; command = "/bin/cat"; };' % ports,
                           top='defaults = { allow = "127.0.1.1"; };')
        self.assertEqual([self.ask(ports[0], s) for s in ("127.0.1.1", "127.0.9.9")], [b"hello", b""])
        self.assertEqual([self.ask(ports[1], s) for s in ("127.0.1.1", "127.0.9.9")], [b"", b"hello"])

    def test_a_reload_takes_effect_for_the_next_client_and_touches_nobody(self):
        fdsup, port = self.serve("")
        with socket.create_connection(("127.0.0.1", port), 30, ("127.0.1.1", 0)) as old:
            old.sendall(b"a")
            self.assertEqual(old.recv(1), b"a")
            for keys, expected in (('allow = "127.0.2.0/24";', [b"", b"hello"]), ('deny = "127.0.2.2";', [b"hello", b""]),
                                   ("allow = [ ];", [b"", b""]), ("", [b"hello", b"hello"])):
                fdsup.write(self.service(port, keys))
                code, output, error = fdsup.ctl("reload")
                self.assertEqual(code, 0, error)
                self.assertEqual([self.ask(port, s) for s in ("127.0.1.1", "127.0.2.2")], expected, keys)
                old.sendall(b"b")
                self.assertEqual(old.recv(1), b"b")
        self.assertEqual(fdsup.status("s")["restarts"], 0)

    def test_an_acceptor_that_is_replaced_knows_it_from_the_first_client_on(self):
        fdsup, port = self.serve('deny = "127.0.1.0/24";')
        acceptor = next(pid for pid, name in children(fdsup.pid).items() if name == "fdsup-acceptor")
        self.assertEqual(self.ask(port, "127.0.1.1"), b"")
        answers = []
        stop = threading.Event()

        def denied():
            while not stop.is_set():
                answers.append(self.ask(port, "127.0.1.1"))
        thread = threading.Thread(target=denied)
        thread.start()
        os.kill(acceptor, 9)
        self.assertEqual(self.ask(port, "127.0.2.1"), b"hello")
        stop.set()
        thread.join()
        self.assertEqual(set(answers), {b""})

    def test_every_way_in(self):
        """CVE-2012-0862: a denied address reaches no service by any route."""
        ports = free_port(), free_port(), free_port()
        fdsup = self.unstarted("")
        name = os.path.join(fdsup.directory, "sock")
        fdsup.write('b = { address = "127.0.0.1"; port = %d; builtin = "echo"; };'
                    'r = { address = "127.0.0.1"; port = %d; to = "127.0.0.1:%d"; };'
                    'e = { worker_socket = "%s"; command = "/bin/cat"; };' % (ports[0], ports[1], ports[0], name),
                    top='defaults = { deny = "127.0.1.0/24"; };')
        fdsup.start()
        for port in ports[:2]:
            self.assertEqual(self.ask(port, "127.0.2.1"), b"hello")
            self.assertEqual(self.ask(port, "127.0.1.1"), b"")
        with socket.socket(socket.AF_UNIX) as sender, socket.create_server(("127.0.0.1", 0)) as listener:
            sender.connect(name)
            for source, expected in (("127.0.2.1", b"hello"), ("127.0.1.1", b"")):
                client = socket.create_connection(listener.getsockname(), 30, (source, 0))
                accepted, _ = listener.accept()
                socket.send_fds(sender, [b"\0"], [accepted.fileno()])
                accepted.close()
                with client:
                    try:
                        client.sendall(b"hello")
                        client.shutdown(socket.SHUT_WR)
                        self.assertEqual(client.recv(100), expected)
                    except OSError: # it was closed in between
                        self.assertEqual(expected, b"")

    # -- where a program accepts or receives by itself, the kernel keeps them out

    LISTEN = 's = { type = "listen"; address = "%s"; port = %d; %s command = [ "/usr/bin/env", "python3", "-c", "%s" ]; };'
    ECHO = ("import socket; s = socket.socket(fileno=3)\\n"
            "while True: c, _ = s.accept(); c.sendall(c.recv(100)); c.close()")
    UDP_ECHO = ("import socket; s = socket.socket(fileno=3)\\n"
                "while True: data, peer = s.recvfrom(100); s.sendto(data, peer)")

    def reaches(self, port, source, host="127.0.0.1"):
        """Whether there is somebody for this client: packets that are dropped have no answer at all."""
        try:
            with socket.create_connection((host, port), 0.5, (source, 0)) as s:
                s.settimeout(30)
                s.sendall(b"hello")
                return s.recv(100) == b"hello"
        except TimeoutError:
            return False

    def is_answered(self, port, source):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((source, 0))
            s.connect(("127.0.0.1", port))
            for timeout in (0.5, 0.5) if source.startswith("127.0.2.") else (30,):
                s.settimeout(timeout)
                s.send(b"hello")
                try:
                    return s.recv(100) == b"hello"
                except TimeoutError:
                    pass
            return False

    @needs_root
    def test_a_program_that_accepts_by_itself_never_sees_them(self):
        for address in ("127.0.0.1", "*"):
            port = free_port()
            fdsup = self.fdsup(self.LISTEN % (address, port, 'allow = [ "127.0.1.0/24", "::1" ]; deny = "127.0.1.7";', self.ECHO))
            self.assertFalse(self.reaches(port, "127.0.2.1"))
            self.assertEqual(fdsup.status("s")["state"], "ON-DEMAND")
            self.assertTrue(self.reaches(port, "127.0.1.1"))
            self.assertFalse(self.reaches(port, "127.0.1.7"))
            if address == "*":
                self.assertTrue(self.reaches(port, "::1", "::1"))
            fdsup.write(self.LISTEN % (address, port, 'allow = "127.0.2.0/24";', self.ECHO))
            fdsup.order("reload")
            self.assertTrue(self.reaches(port, "127.0.2.1"))
            self.assertFalse(self.reaches(port, "127.0.1.1"))
            fdsup.write(self.LISTEN % (address, port, "", self.ECHO))
            fdsup.order("reload")
            self.assertTrue(self.reaches(port, "127.0.1.7"))
            self.assertEqual(fdsup.status("s")["restarts"], 0)

    @needs_root
    def test_a_socket_that_goes_to_an_acceptor_loses_the_filter(self):
        port = free_port()
        fdsup = self.fdsup(self.LISTEN % ("127.0.0.1", port, "allow = [ ];", self.ECHO))
        self.assertFalse(self.reaches(port, "127.0.0.1"))
        fdsup.write(self.service(port, 'deny = "127.0.1.0/24";'))
        fdsup.order("reload")
        self.assertEqual(self.ask(port, "127.0.0.1"), b"hello")
        self.assertEqual(self.ask(port, "127.0.1.1"), b"")
        fdsup.write(self.LISTEN % ("127.0.0.1", port, 'allow = "127.0.1.0/24";', self.ECHO))
        fdsup.order("reload")
        self.assertTrue(self.reaches(port, "127.0.1.1"))
        self.assertFalse(self.reaches(port, "127.0.0.1"))

    def test_nor_does_one_that_receives_datagrams(self):
        for service in ('s = { address = "127.0.0.1"; port = %d; protocol = "udp"; builtin = "echo"; %s };',
                        self.LISTEN.replace("%s", "127.0.0.1", 1).replace('"%s"', '"' + self.UDP_ECHO + '"')
                        .replace("port =", 'protocol = "udp"; port =')):
            port = free_port()
            fdsup = self.fdsup(service % (port, 'deny = "127.0.2.0/24";'))
            self.assertTrue(self.is_answered(port, "127.0.1.1"))
            self.assertFalse(self.is_answered(port, "127.0.2.1"))
            fdsup.write(service % (port, 'deny = "127.0.3.1";'))
            fdsup.order("reload")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(("127.0.2.1", 0))
                s.connect(("127.0.0.1", port))
                s.settimeout(30)
                s.send(b"again")
                self.assertEqual(s.recv(100), b"again")

    @needs_root
    def test_a_kernel_that_keeps_nobody_out_is_an_error(self):
        fdsup = self.unstarted(self.LISTEN % ("127.0.0.1", free_port(), "allow = [ ];", self.ECHO), prefix=as_nobody())
        os.chmod(fdsup.directory, 0o777)
        code, output, error = run("fdsup", "-c", fdsup.path, prefix=["timeout", "2", *as_nobody()])
        if code == 124:
            self.skipTest("this kernel lets everybody filter TCP")
        self.assertNotEqual(code, 0)
        self.assertRegex(error, "services.s: cannot listen on .*allow and deny, as a filter.*CAP_NET_ADMIN")

    def test_many_networks(self):
        networks = ", ".join('"10.%d.%d.0/24"' % (i // 250, i % 250) for i in range(2000))
        fdsup, port = self.serve('allow = [ %s, "127.0.1.1" ];' % networks)
        self.assertEqual(self.ask(port, "127.0.1.1"), b"hello")
        self.assertEqual(self.ask(port, "127.0.1.2"), b"")

    def test_what_is_wrong_is_told_for_each_entry(self):
        fdsup = self.unstarted(self.service(free_port(), 'allow = [ "192.0.2.0", "10.0.0.0/8", "localhost" ]; deny = "1.2.3.4/8";'))
        code, output, error = run("fdsup", "-c", fdsup.path, "--check")
        self.assertEqual(code, 1)
        for text in ('services.s.allow[0]', '"192.0.2.0/24" for the network', 'services.s.allow[2]', "names are not looked up",
                     'services.s.deny', '"1.0.0.0/8"'):
            self.assertIn(text, error)

    def test_refusing_costs_little_and_leaves_nothing(self):
        fdsup, port = self.serve("allow = [ ];")
        acceptor = next(pid for pid, name in children(fdsup.pid).items() if name == "fdsup-acceptor")
        self.ask(port, "127.0.0.1")
        before = self.used(acceptor)
        for _ in range(5000):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wait_until("all are refused", lambda: fdsup.status("s")["refused"] >= 4900)
        descriptors, memory = self.used(acceptor)
        self.assertLessEqual(descriptors, before[0])
        self.assertLess(memory - before[1], 512 * 1024)

    @staticmethod
    def used(pid):
        with open("/proc/%d/statm" % pid) as f:
            pages = int(f.read().split()[1])
        return len(os.listdir("/proc/%d/fd" % pid)), pages * resource.getpagesize()


if __name__ == "__main__":
    main()

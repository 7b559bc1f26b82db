"""Limits delay or refuse what is above them, say so once, and recover by themselves."""
import re
import select
import socket
import time

from support import LONG, Test, free_port, main, wait_until


class Admission(Test):
    def cat(self, port, keys, name="cat", address='"127.0.0.1"'):
        return '%s = { address = %s; port = %d; command = "/bin/cat"; %s };\n' % (name, address, port, keys)

    def say(self, s):
        s.sendall(b"hello")
        self.assertEqual(s.recv(5), b"hello")

    def hang_up(self, s):
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_all(s), b"")

    def connect_from(self, source, port):
        s = socket.create_connection(("127.0.0.1", port), LONG, source_address=(source, 0))
        self.sockets.append(s)
        return s

    def serving(self, port, n, source="127.0.0.1"):
        connections = [self.connect_from(source, port) for _ in range(n)]
        for s in connections:
            self.say(s)
        return connections

    # -- max_connections

    def test_above_max_connections_the_kernel_queues_and_nothing_is_lost(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_connections = 2;"))
        served = self.serving(port, 2)
        waiting = [self.connect(port) for _ in range(5)]
        for s in waiting:
            s.sendall(b"hello")
        wait_until("five in the kernel", lambda: fdsup.listeners("cat")[0]["accept_queue"] == 5)
        self.assertEqual(fdsup.listeners("cat")[0]["paused"], ["max_connections"])
        service = fdsup.status("cat")
        self.assertEqual((service["connections"], service["accepted"]), ({"used": 2, "limit": 2}, 2))
        for s in served:
            self.hang_up(s)
        for s in waiting:
            self.assertEqual(s.recv(5), b"hello")
            self.hang_up(s)
        service = fdsup.wait_status("cat", lambda s: s["served"] == 7, "seven served")
        self.assertEqual((service["refused"], service["lost"], service["connections"]["used"]), (0, 0, 0))
        self.assertEqual(fdsup.count_log("max_connections=2 reached: .* raise max_connections"), 1)

    def test_a_hundred_clients_of_a_service_for_three(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' max_connections = 3; };' % port)
        connections = [self.connect(port) for _ in range(100)]
        for s in connections:
            self.assertEqual(self.read_all(s), b"x\n")
        service = fdsup.wait_status("echo", lambda s: s["served"] == 100, "100 served")
        self.assertEqual((service["accepted"], service["refused"], service["lost"]), (100, 0, 0))

    def test_refuse_ends_what_is_above_max_connections(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "refuse";'))
        served = self.serving(port, 1)
        for _ in range(3):
            s = self.connect(port)
            s.sendall(b"x" * 1000)
            self.assertEqual(self.read_all(s), b"")
        fdsup.wait_log(r"cat: REFUSED id=\S+ peer=127\.0\.0\.1:\d+ local=\S+ reason=max_connections$", 3)
        self.say(served[0])
        service = fdsup.wait_status("cat", lambda s: s["refused"] == 3, "three refused")
        self.assertEqual((service["accepted"], service["lost"]), (4, 0))
        self.hang_up(served[0])
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "room")
        self.serving(port, 1)

    def test_reset_resets_what_is_above_max_connections(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "reset";'))
        self.serving(port, 1)
        with self.assertRaises(ConnectionResetError):
            self.connect(port).recv(1)
        fdsup.wait_status("cat", lambda s: s["refused"] == 1, "one refused")

    def test_a_warning_at_eighty_percent_names_the_key(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_connections = 5;"))
        served = self.serving(port, 3)
        self.assertEqual(fdsup.count_log("max_connections"), 0)
        served += self.serving(port, 1)
        fdsup.wait_log("cat: 4 of max_connections=5 are in use")
        # A service that comes and goes about its limit does not fill the log with it.
        for s in served:
            self.hang_up(s)
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "none")
        self.serving(port, 4)
        self.assertEqual(fdsup.count_log("in use; beyond that"), 1)

    # -- max_per_source

    def test_above_max_per_source_a_source_waits_and_others_are_served(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_per_source = 2;"))
        served = self.serving(port, 2)
        waiting = [self.connect_from("127.0.0.1", port) for _ in range(3)]
        service = fdsup.wait_status("cat", lambda s: s["queue"]["used"] == 3, "three held")
        self.assertEqual(service["accepted"], 5)
        self.assertIn("3 connections are held back by max_per_source or rate_per_source: raise it if that is no abuse",
                      service["explanation"])
        self.assertIn("2 of 256 connections are in use (max_connections). 3 more are held back",
                      " ".join(fdsup.order("explain", "cat").split()))
        other = self.serving(port, 2, source="127.0.0.2")
        for s in served:
            self.hang_up(s)
        for s in waiting:
            self.say(s)
            self.hang_up(s)
        for s in other:
            self.hang_up(s)
        fdsup.wait_status("cat", lambda s: s["served"] == 7, "seven served")
        self.assertEqual(fdsup.count_log(r"max_per_source=2 reached by 127\.0\.0\.1:"), 1)
        self.assertEqual(fdsup.count_log(r"reached by 127\.0\.0\.2"), 0)

    def test_who_waits_longer_than_overflow_wait_is_refused(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_per_source = 1; overflow_wait = "300ms";'))
        served = self.serving(port, 1)
        begin = time.monotonic()
        s = self.connect(port)
        s.sendall(b"x")
        self.assertEqual(self.read_all(s), b"")
        self.assertGreater(time.monotonic() - begin, 0.29)
        fdsup.wait_log("cat: REFUSED .* reason=max_per_source$")
        fdsup.wait_status("cat", lambda s: s["refused"] == 1 and s["queue"]["used"] == 0, "one refused")
        self.hang_up(served[0])
        fdsup.wait_status("cat", lambda s: s["connections"]["used"] == 0, "room")
        self.serving(port, 1)

    def test_refuse_and_reset_per_source(self):
        for overflow in ("refuse", "reset"):
            port = free_port()
            fdsup = self.fdsup(self.cat(port, 'max_per_source = 1; overflow = "%s";' % overflow))
            self.serving(port, 1)
            if overflow == "refuse":
                self.assertEqual(self.read_all(self.connect(port)), b"")
            else:
                with self.assertRaises(ConnectionResetError):
                    self.connect(port).recv(1)
            self.serving(port, 1, source="127.0.0.2")
            fdsup.wait_log("cat: REFUSED .* peer=127.0.0.1:.* reason=max_per_source$")

    # -- rate

    def test_above_rate_accepting_pauses_and_everybody_is_served(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' rate = "20/s burst 5"; };' % port)
        begin = time.monotonic()
        connections = [self.connect(port) for _ in range(25)]
        for s in connections:
            self.assertEqual(self.read_all(s), b"x\n")
        # Five at once, the others one in 50 ms.
        self.assertGreater(time.monotonic() - begin, 0.95)
        service = fdsup.wait_status("echo", lambda s: s["served"] == 25, "all served")
        self.assertEqual((service["refused"], service["lost"]), (0, 0))
        fdsup.wait_log("echo: rate=20/s exceeded: .* raise rate")
        self.assertEqual(self.talk(port), b"x\n")
        self.assertEqual(fdsup.count_log("rate=20/s exceeded"), 1)

    def test_above_rate_refuse_refuses_and_recovers(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' rate = "10/s burst 3"; overflow = "refuse"; };' % port)
        answers = [self.read_all(self.connect(port)) for _ in range(50)]
        self.assertGreaterEqual(answers.count(b"x\n"), 3)
        self.assertGreater(answers.count(b""), 0)
        fdsup.wait_log("echo: REFUSED .* reason=rate$")
        wait_until("served again", lambda: self.talk(port) == b"x\n", seconds=5)

    def test_after_a_flood_its_sender_does_not_wait_behind_it(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' rate_per_source = "5/s burst 1"; overflow_wait = 60; };' % port)
        # All of them wait, for more than ten seconds if they were served in their order.
        flood = [self.connect_from("127.0.0.1", port) for _ in range(60)]
        fdsup.wait_status("echo", lambda s: s["queue"]["used"] >= 50, "a flood is held")
        self.assertEqual(self.read_all(self.connect_from("127.0.0.1", port)), b"x\n")
        self.assertGreater(fdsup.status("echo")["queue"]["used"], 25)
        # Whoever has patience is served all the same.
        self.assertEqual(self.read_all(flood[0]), b"x\n")
        self.assertEqual(fdsup.status("echo")["refused"], 0)

    def test_rate_per_source_delays_one_source_and_not_the_other(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' rate_per_source = "1/s burst 2"; };' % port)
        begin = time.monotonic()
        connections = [self.connect_from("127.0.0.1", port) for _ in range(5)]
        fdsup.wait_log(r"rate_per_source=1/s reached by 127\.0\.0\.1:")
        other = self.connect_from("127.0.0.2", port)
        self.assertEqual(self.read_all(other), b"x\n")
        self.assertEqual(select.select([connections[-1]], [], [], 0)[0], [])
        for s in connections:
            self.assertEqual(self.read_all(s), b"x\n")
        self.assertGreater(time.monotonic() - begin, 2.9)
        service = fdsup.wait_status("echo", lambda s: s["served"] == 6, "six served")
        self.assertEqual((service["refused"], service["lost"]), (0, 0))

    # -- floods

    def test_a_flooding_source_leaves_others_and_other_services_alone(self):
        port, quiet = free_port(), free_port()
        fdsup = self.fdsup(self.cat(port, "max_per_source = 5; queue = 64;") + self.cat(quiet, "", "quiet"))
        flood = [self.connect_from("127.0.0.1", port) for _ in range(300)]
        fdsup.wait_log(r"max_per_source=5 reached by 127\.0\.0\.1:")
        for service in (port, quiet):
            for _ in range(5):
                s = self.connect_from("127.0.0.9", service)
                self.say(s)
                self.hang_up(s)
        self.assertEqual(fdsup.count_log("max_per_source=5 reached"), 1)
        for s in flood:
            s.close()

    def test_after_a_flood_the_next_client_does_not_wait_for_its_share(self):
        port = free_port()
        fdsup = self.fdsup('echo = { address = "127.0.0.1"; port = %d; command = "/bin/echo x";'
                           ' rate = "50/s burst 10"; max_connections = 5; };' % port)
        for _ in range(3):
            for s in [self.connect(port) for _ in range(40)]:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
        wait_until("the flood is over", lambda: fdsup.listeners("echo")[0]["accept_queue"] == 0)
        fdsup.wait_status("echo", lambda s: s["connections"]["used"] == 0, "no connection")
        begin = time.monotonic()
        self.assertEqual(self.talk(port), b"x\n")
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(fdsup.status("echo")["state"], "UP")

    def test_ten_refusals_a_second_are_logged_and_the_others_counted(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "refuse";'))
        self.serving(port, 1)
        for _ in range(40):
            self.assertEqual(self.read_all(self.connect(port)), b"")
        fdsup.wait_log(r"cat: REFUSED \d+ more within that second")
        fdsup.wait_status("cat", lambda s: s["refused"] == 40, "forty refused")
        told = fdsup.count_log("cat: REFUSED id=")
        untold = sum(int(n) for n in re.findall(r"REFUSED (\d+) more", fdsup.log()))
        self.assertEqual(told + untold, 40)
        self.assertLess(told, 40)

    def test_the_end_of_an_episode_is_told_with_its_numbers(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "refuse";'))
        served = self.serving(port, 1)
        for _ in range(4):
            self.read_all(self.connect(port))
        self.hang_up(served[0])
        fdsup.wait_log(r"cat: nobody was refused for max_connections for 5s; it happened 4 times in \S+,"
                       " and 4 connections were refused for it")

    def test_what_goes_on_is_not_said_to_be_over(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'max_connections = 1; overflow = "refuse";'))
        self.serving(port, 1)
        self.read_all(self.connect(port))
        fdsup.wait_log("cat: nobody was refused for max_connections for 5s; it happened once,"
                       " and 1 connection was refused for it")

    def test_the_log_writes_a_rate_as_the_file_does(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'rate_per_source = "1/10min"; overflow = "refuse";'))
        self.serving(port, 1)
        self.read_all(self.connect(port))
        fdsup.wait_log("cat: rate_per_source=1/10min reached by 127.0.0.1")

    def test_no_limit_is_no_limit(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, "max_connections = 0; queue = 4;"))
        connections = self.serving(port, 50)
        self.assertEqual(fdsup.status("cat")["connections"], {"used": 50, "limit": 0})
        for s in connections:
            self.hang_up(s)


if __name__ == "__main__":
    main()

"""When clients may connect, at which load, and what they are told: before any process exists."""
import os
import socket
import time
import unittest

from support import Test, children, free_port, main, run, wait_until


def has_zone_files():
    return os.path.exists("/usr/share/zoneinfo/Asia/Tokyo")


def clock(hours_from_now, offset_hours=0):
    """The time of day, "HH:MM", so many hours from now, where the clock is so far ahead of UTC."""
    return time.strftime("%H:%M", time.gmtime(time.time() + (hours_from_now + offset_hours) * 3600))


def window(begin, end, offset_hours=0):
    return '"%s-%s"' % (clock(begin, offset_hours), clock(end, offset_hours))


NOW = (-3, 3)
LATER = (3, 8)


class Conditions(Test):
    def serve(self, keys, zone="UTC0"):
        port = free_port()
        daemon = self.unstarted(self.service(port, keys), prefix=["env", "TZ=" + zone])
        daemon.start()
        return daemon, port

    def service(self, port, keys):
        return 's = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };' % (port, keys)

    def ask(self, port):
        """All that comes back to a client who waits before it sends."""
        s = self.connect(port)
        answer = s.recv(1)
        return answer + self.read_all(s) if answer else answer

    def is_served(self, port, host="127.0.0.1"):
        try:
            return self.talk(port, b"hello", host) == b"hello"
        except OSError: # it was closed in between
            return False

    # -- hours

    def test_only_within_one_of_the_hours(self):
        fdsup, port = self.serve("hours = [ %s, %s ];" % (window(*LATER), window(*NOW)))
        self.assertTrue(self.is_served(port))
        fdsup, port = self.serve("hours = %s;" % window(*LATER))
        self.assertFalse(self.is_served(port))
        fdsup.wait_log("s: REFUSED id=[0-9a-f]{16} peer=127.0.0.1:[0-9]+ local=127.0.0.1:%d reason=hours" % port)
        service = fdsup.status("s")
        self.assertEqual((service["served"], service["refused"], service["lost"]), (0, 1, 0))
        self.assertTrue(service["healthy"])
        self.assertRegex(fdsup.order("status", "s"), r"\n    closed by hours, for another \S+: new clients are refused\n")
        told = " ".join(fdsup.order("explain", "s").split())
        self.assertRegex(told, r"Acceptor 1 \(pid \d+\) refuses every new client at the moment \(hours\)\.")
        self.assertNotIn("Nothing is to be done", told)
        self.assertEqual(sorted(children(fdsup.pid).values()), ["fdsup-acceptor", "fdsup-keeper"])

    def test_on_one_of_their_days(self):
        days = [time.strftime("%a", time.gmtime(time.time() + d * 86400)).lower() for d in range(7)]
        fdsup, port = self.serve('hours = "%s,%s 00:00-24:00";' % (days[0], days[1]))
        self.assertTrue(self.is_served(port))
        fdsup, port = self.serve('hours = "%s-%s 00:00-24:00";' % (days[2], days[5]))
        self.assertFalse(self.is_served(port))

    def test_are_local(self):
        fdsup, port = self.serve("hours = %s;" % window(*NOW, offset_hours=9), zone="JST-9")
        self.assertTrue(self.is_served(port))
        fdsup, port = self.serve("hours = %s;" % window(*NOW), zone="JST-9")
        self.assertFalse(self.is_served(port))

    @unittest.skipUnless(has_zone_files(), "no tzdata")
    def test_another_time_zone_holds_from_a_reload_on(self):
        """Though the acceptor cannot open its file."""
        port = free_port()
        daemon = self.unstarted(self.service(port, "hours = %s;" % window(*NOW)))
        zone = os.path.join(daemon.directory, "localtime")
        os.symlink("/usr/share/zoneinfo/UTC", zone)
        daemon.prefix = ["env", "TZ=:" + zone]
        daemon.start()
        self.assertTrue(self.is_served(port))
        os.symlink("/usr/share/zoneinfo/Asia/Tokyo", zone + ".new")
        os.rename(zone + ".new", zone)
        daemon.order("reload")
        self.assertFalse(self.is_served(port))
        os.kill(daemon.acceptor_pid(), 9)
        wait_until("another acceptor", lambda: daemon.status()["daemon"]["acceptors"][0]["restarts"] == 1)
        self.assertFalse(self.is_served(port))
        daemon.write(self.service(port, "hours = %s;" % window(*NOW, offset_hours=9)))
        daemon.order("reload")
        self.assertTrue(self.is_served(port))

    def test_a_reload_changes_them(self):
        fdsup, port = self.serve("hours = %s;" % window(*NOW))
        with socket.create_connection(("127.0.0.1", port), 30) as old:
            old.sendall(b"a")
            self.assertEqual(old.recv(1), b"a")
            for keys, expected in (("hours = %s;" % window(*LATER), False), ("", True),
                                   ("hours = %s;" % window(*LATER), False), ("hours = %s;" % window(*NOW), True)):
                fdsup.write(self.service(port, keys))
                fdsup.order("reload")
                self.assertEqual(self.is_served(port), expected, keys)
                old.sendall(b"b")
                self.assertEqual(old.recv(1), b"b")

    # -- max_load

    def test_nobody_gets_in_above_max_load(self):
        fdsup, port = self.serve("max_load = 0.01;")
        if os.getloadavg()[0] <= 0.05:
            self.skipTest("nothing loads this machine")
        self.assertFalse(self.is_served(port))
        fdsup.wait_log(r"s: max_load=0.01 exceeded, the load average is [0-9.]+: connections are refused until")
        fdsup.wait_log("REFUSED .* reason=max_load")
        self.assertEqual(fdsup.status("s")["state"], "DEGRADED")
        told = " ".join(fdsup.ctl("explain", "s")[1].split())
        self.assertRegex(told, r"The load average is [0-9.]+, above max_load=0\.01: new clients are refused")
        self.assertRegex(told, r"refuses every new client at the moment \(max_load\)\.")
        self.assertEqual(sorted(children(fdsup.pid).values()), ["fdsup-acceptor", "fdsup-keeper"])
        fdsup.write(self.service(port, "max_load = 100000;"))
        fdsup.order("reload")
        self.assertTrue(self.is_served(port))

    # -- how much is used

    def limits(self, fdsup):
        return {limit["key"]: limit for limit in fdsup.status("s")["limits"]}

    def test_how_much_of_each_limit_is_used(self):
        fdsup, port = self.serve('hours = "00:00-24:00"; max_load = 100000; max_connections = 7; max_per_source = 5;'
                                 ' rate = "1/h burst 9"; rate_per_source = "1/h burst 8"; queue = 11;')
        clients = [self.connect(port) for _ in range(3)]
        clients.append(socket.create_connection(("127.0.0.1", port), 30, ("127.0.1.1", 0)))
        self.sockets.append(clients[-1])
        for client in clients:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
        limits = self.limits(fdsup)
        self.assertEqual(limits["hours"], {"key": "hours", "open": True, "changes_at": None, "used": None, "limit": None})
        load = limits.pop("max_load")
        self.assertEqual(load["limit"], 100000)
        self.assertGreaterEqual(load["used"], 0)
        self.assertEqual({key: (limit.get("used"), limit.get("limit")) for key, limit in limits.items() if key != "hours"},
                         {"max_connections": (4, 7), "max_per_source": (3, 5), "rate": (4, 9), "rate_per_source": (3, 8),
                          "queue": (0, 11)})
        output = fdsup.order("status", "-v", "s")
        self.assertRegex(output, r"(?m)^    hours open, max_load [0-9.]+/100000.00$")
        self.assertIn("    max_connections 4/7, max_per_source 3/5, rate 4/9, rate_per_source 3/8, queue 0/11\n", output)
        for client in clients[:2]:
            client.shutdown(socket.SHUT_WR)
            self.read_all(client)
        wait_until("they are gone", lambda: self.limits(fdsup)["max_connections"]["used"] == 2)
        self.assertEqual(self.limits(fdsup)["max_per_source"]["used"], 1)

    def test_when_the_hours_change(self):
        fdsup, port = self.serve("hours = %s;" % window(*LATER))
        hours = self.limits(fdsup)["hours"]
        self.assertFalse(hours["open"])
        self.assertLess(abs(hours["changes_at"] / 1000 - time.time() - 3 * 3600), 120)
        self.assertEqual(hours["changes_at"] % 60000, 0)
        self.assertRegex(fdsup.order("status", "-v", "s"), r"(?m)^    hours closed until [0-9-]{10} [0-9:]{8}$")

    # -- refuse_message and banner

    def test_a_refuse_message_for_each_that_is_refused(self):
        fdsup, port = self.serve('refuse_message = "421 not now\\r\\n"; hours = %s;' % window(*LATER))
        self.assertEqual(self.ask(port), b"421 not now\r\n")
        fdsup.write(self.service(port, 'refuse_message = "550 not you\\r\\n"; deny = "127.0.0.0/8";'))
        fdsup.order("reload")
        self.assertEqual(self.ask(port), b"550 not you\r\n")
        fdsup.write(self.service(port, 'refuse_message = "too many\\n"; max_connections = 1; overflow = "refuse";'))
        fdsup.order("reload")
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(b"a")
            self.assertEqual(first.recv(1), b"a")
            self.assertEqual(self.ask(port), b"too many\n")

    def test_a_refuse_message_after_waiting_in_vain(self):
        fdsup, port = self.serve('refuse_message = "busy\\n"; max_per_source = 1; overflow_wait = "200ms";')
        with socket.create_connection(("127.0.0.1", port)) as first:
            first.sendall(b"a")
            self.assertEqual(first.recv(1), b"a")
            self.assertEqual(self.ask(port), b"busy\n")

    def test_a_banner_on_every_way_in(self):
        ports = free_port(), free_port(), free_port()
        fdsup = self.unstarted("")
        name = os.path.join(fdsup.directory, "sock")
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; };'
                    'b = { address = "127.0.0.1"; port = %d; builtin = "echo"; };'
                    'r = { address = "127.0.0.1"; port = %d; to = "127.0.0.1:%d"; banner = "forwarded\\n"; };'
                    'e = { worker_socket = "%s"; command = "/bin/cat"; };'
                    'q = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; banner = ""; };'
                    % (*ports, ports[1], name, free_port()), top='defaults = { banner = "hello\\r\\n"; };')
        fdsup.start()
        self.assertEqual(self.talk(ports[0], b"x"), b"hello\r\nx")
        self.assertEqual(self.talk(ports[1], b"x"), b"hello\r\nx")
        self.assertEqual(self.talk(ports[2], b"x"), b"forwarded\nhello\r\nx")
        with socket.socket(socket.AF_UNIX) as sender, socket.create_server(("127.0.0.1", 0)) as listener:
            sender.connect(name)
            client = self.connect(listener.getsockname()[1])
            accepted, _ = listener.accept()
            socket.send_fds(sender, [b"\0"], [accepted.fileno()])
            accepted.close()
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(self.read_all(client), b"hello\r\nx")

    def test_a_banner_only_for_those_who_are_let_in(self):
        fdsup, port = self.serve('banner = "welcome\\n"; refuse_message = "no\\n"; max_connections = 1; overflow = "refuse";')
        first = self.connect(port)
        self.assertEqual(first.recv(8), b"welcome\n")
        self.assertEqual(self.ask(port), b"no\n")

    def test_a_banner_comes_once_though_the_queue_was_full(self):
        fdsup, port = self.serve('banner = "welcome\\n"; queue = 1; workers = { max = 1; };')
        clients = [self.connect(port) for _ in range(20)]
        for client in clients:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
        for client in clients:
            self.assertEqual(self.read_all(client), b"welcome\nx")

    def test_the_longest_banner_arrives_whole(self):
        fdsup, port = self.serve('banner = "%s";' % ("b" * 4096))
        self.assertEqual(self.talk(port, b"x"), b"b" * 4096 + b"x")

    def test_a_refuse_message_is_not_sent_with_a_reset(self):
        fdsup, port = self.serve('allow = [ ]; overflow = "reset";')
        s = self.connect(port)
        with self.assertRaises(ConnectionResetError):
            s.recv(1)

    def test_what_is_wrong_is_told(self):
        fdsup = self.unstarted(self.service(free_port(), 'hours = [ "8-18", "08:00-18:00", "24:00-01:00" ]; refuse_message = "x"; overflow = "reset"; max_load = -1;'))
        code, output, error = run("fdsup", "-c", fdsup.path, "--check")
        self.assertEqual(code, 1)
        for text in ("services.s.hours[0]", "services.s.hours[2]", "begins at 24:00", "services.s.refuse_message",
                     "services.s.max_load"):
            self.assertIn(text, error)

    def test_what_is_shown_loads_again(self):
        fdsup = self.unstarted(self.service(free_port(), 'hours = [ "mon-fri 08:00-18:00", "22:00-06:00" ]; max_load = 4.5; banner = "a\\r\\n\\"b\\"\\t"; refuse_message = "no\\n";'))
        code, shown, error = run("fdsup", "-c", fdsup.path, "--show-config")
        self.assertEqual(code, 0, error)
        for text in ('hours = [ "mon-fri 08:00-18:00", "22:00-06:00" ];', "max_load = 4.5;", 'refuse_message = "no\\n";'):
            self.assertIn(text, shown)
        again = os.path.join(fdsup.directory, "again.conf")
        with open(again, "w") as f:
            f.write(shown)
        os.chmod(again, 0o644)
        self.assertEqual(run("fdsup", "-c", again, "--show-config")[1], shown)


if __name__ == "__main__":
    main()

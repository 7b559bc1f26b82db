"""
Socket options, and addresses that come and go: in a network namespace of this test alone, where it can
be had; nothing here touches the network of the machine.
"""
import os
import socket
import subprocess
import unittest

from support import LONG, Test, count_descriptors, enter_own_network, free_port, main, wait_until

def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, timeout=LONG, stdin=subprocess.DEVNULL, capture_output=True)


def has_own_network():
    """Moves this process and all that it starts into a namespace of its own."""
    if not enter_own_network():
        return False
    try:
        # Two ends of a cable, instead of a module that a kernel may not have.
        ip("link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        ip("link", "del", "probe0")
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@unittest.skipUnless(has_own_network(), "needs root, ip, and a network namespace of its own")
class Addresses(Test):
    def tearDown(self):
        super().tearDown()
        subprocess.run(["ip", "link", "del", "here0"], capture_output=True)
        subprocess.run(["ip", "address", "del", "192.0.2.7/32", "dev", "lo"], capture_output=True)

    def make_link(self):
        ip("link", "add", "here0", "type", "veth", "peer", "name", "there0")
        ip("link", "set", "here0", "up")
        ip("link", "set", "there0", "up")

    def cat(self, port, keys, name="s"):
        return '%s = { port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def is_served(self, port, host):
        try:
            return self.talk(port, b"hello", host, timeout=5) == b"hello"
        except OSError:
            return False

    # -- what appears later

    def test_an_address_that_appears_later_is_bound_when_it_does(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'address = [ "127.0.0.1", "192.0.2.7", "2001:db8::7" ];'))
        service = fdsup.wait_status("s", lambda s: not s["healthy"], "what is missing")
        self.assertEqual(service["state"], "DEGRADED")
        self.assertEqual(service["missing"], ["tcp 192.0.2.7:%d" % port, "tcp [2001:db8::7]:%d" % port])
        self.assertIn("cannot listen on tcp 192.0.2.7:%d: this machine does not have the address" % port,
                      " ".join(service["explanation"]))
        fdsup.wait_log("services.s: cannot listen on tcp 192.0.2.7:%d: .*bound as soon as it appears" % port)
        # What is there serves meanwhile.
        self.assertTrue(self.is_served(port, "127.0.0.1"))
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup.wait_log("s: tcp 192.0.2.7:%d has appeared and is listened on" % port)
        self.assertTrue(self.is_served(port, "192.0.2.7"))
        self.assertEqual(fdsup.wait_status("s", lambda s: len(s["missing"]) == 1)["missing"],
                         ["tcp [2001:db8::7]:%d" % port])
        ip("address", "add", "2001:db8::7/128", "dev", "lo", "nodad")
        try:
            fdsup.wait_status("s", lambda s: s["healthy"] and s["missing"] == [], "health")
            self.assertTrue(self.is_served(port, "2001:db8::7"))
        finally:
            ip("address", "del", "2001:db8::7/128", "dev", "lo")
        # It was said once for each, however often it was tried.
        self.assertEqual(fdsup.count_log("warning .*cannot listen on tcp 192.0.2.7"), 1)

    def test_nothing_is_watched_when_nothing_is_missing(self):
        port = free_port()
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup = self.fdsup(self.cat(port, 'address = [ "127.0.0.1", "192.0.2.7" ]; idle_timeout = "100ms";'))
        before = count_descriptors(fdsup.pid)
        ip("address", "del", "192.0.2.7/32", "dev", "lo")
        fdsup.order("restart", "s")
        fdsup.order("stop", "s")
        fdsup.order("start", "s")
        fdsup.wait_status("s", lambda s: s["missing"] == ["tcp 192.0.2.7:%d" % port], "what is missing")
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup.wait_status("s", lambda s: s["missing"] == [] and s["healthy"], "health")
        self.assertTrue(self.is_served(port, "192.0.2.7"))
        wait_until("as many as before", lambda: count_descriptors(fdsup.pid) <= before)

    def test_a_new_acceptor_and_a_reload_know_what_came_late(self):
        port = free_port()
        keys = 'address = [ "127.0.0.1", "192.0.2.7" ];'
        fdsup = self.fdsup(self.cat(port, keys))
        fdsup.wait_status("s", lambda s: s["missing"], "what is missing")
        # Other addresses, one of them still not there: the rest changes over.
        fdsup.write(self.cat(port, 'address = [ "127.0.0.2", "192.0.2.7" ];'))
        fdsup.order("reload")
        self.assertTrue(self.is_served(port, "127.0.0.2"))
        self.assertFalse(self.is_served(port, "127.0.0.1"))
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup.wait_status("s", lambda s: s["missing"] == [], "all of them")
        self.assertTrue(self.is_served(port, "192.0.2.7"))
        os.kill(fdsup.acceptor_pid(), 9)
        wait_until("its successor serves it", lambda: self.is_served(port, "192.0.2.7"))
        fdsup.write(self.cat(port, keys))
        fdsup.order("reload")
        for host in "127.0.0.1", "192.0.2.7":
            self.assertTrue(self.is_served(port, host), host)

    def test_a_program_that_accepts_itself_is_started_anew_with_one_more(self):
        port = free_port()
        directory = self.unstarted()
        show = directory.script("show", 'echo "$LISTEN_FDS sockets" >&2; exec sleep 1000\n')
        fdsup = self.fdsup('s = { port = %d; address = [ "127.0.0.1", "192.0.2.7" ]; type = "listen"; '
                           'command = "%s"; workers = { min = 1; }; };' % (port, show))
        fdsup.wait_log("s: stderr: 1 sockets")
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup.wait_log("s: stderr: 2 sockets")
        fdsup.wait_status("s", lambda s: s["state"] == "UP" and s["missing"] == [], "all of them")

    def test_a_service_none_of_whose_addresses_is_there_waits_for_them(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'address = "192.0.2.7";'))
        fdsup.wait_status("s", lambda s: s["missing"], "what is missing")
        self.assertEqual(fdsup.listeners("s"), [])
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        wait_until("it serves", lambda: self.is_served(port, "192.0.2.7"))

    def test_an_upgrade_goes_on_waiting(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'address = "192.0.2.7";')
                           + self.cat(port, 'address = [ "127.0.0.1", "192.0.2.8" ];', "t"))
        for name in "st":
            fdsup.wait_status(name, lambda s: s["missing"], "what is missing")
        sandbox = fdsup.status()["daemon"]["acceptors"][0]["sandbox"]
        fdsup.order("upgrade")
        self.assertEqual(fdsup.status()["daemon"]["acceptors"][0]["sandbox"], sandbox)
        self.assertEqual(fdsup.status("t")["missing"], ["tcp 192.0.2.8:%d" % port])
        self.assertTrue(self.is_served(port, "127.0.0.1"))
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        fdsup.wait_status("s", lambda s: s["missing"] == [] and s["healthy"], "health")
        self.assertTrue(self.is_served(port, "192.0.2.7"))

    def test_an_address_that_is_taken_is_still_an_error(self):
        port = free_port()
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            fdsup = self.unstarted(self.cat(port, 'address = [ "127.0.0.1", "192.0.2.7" ];'))
            self.assertRaisesRegex(AssertionError, "address in use", fdsup.start)

    # -- options

    def test_freebind_listens_before_the_address_is_there(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'address = [ "192.0.2.7", "2001:db8::9" ]; freebind = true;'))
        self.assertEqual(fdsup.status("s")["missing"], [])
        ip("address", "add", "192.0.2.7/32", "dev", "lo")
        self.assertTrue(self.is_served(port, "192.0.2.7"))

    def test_interface_lets_in_who_comes_by_it_alone(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'interface = "lo";', "l")
                           + self.cat(port, 'interface = "here0"; address = "*";', "h"))
        service = fdsup.wait_status("h", lambda s: s["missing"], "what is missing")
        self.assertIn("there is no interface here0", " ".join(service["explanation"]))
        self.assertTrue(self.is_served(port, "127.0.0.1"))
        self.make_link()
        fdsup.wait_status("h", lambda s: s["missing"] == [] and s["healthy"], "health")
        self.assertTrue(self.is_served(port, "127.0.0.1"))
        self.assertEqual(fdsup.status("h")["accepted"], 0)
        self.assertEqual(fdsup.status("l")["accepted"], 2)
        # On the next reload "l" is at the other interface, and nobody is left at this one.
        fdsup.write(self.cat(port, 'interface = "there0";', "l"))
        fdsup.order("reload")
        self.assertFalse(self.is_served(port, "127.0.0.1"))

    def test_defer_accept_waits_for_the_first_byte_and_a_reload_changes_it(self):
        port = free_port()
        fdsup = self.fdsup(self.cat(port, 'address = "127.0.0.1"; defer_accept = "1min";'))
        s = self.connect(port)
        self.assertTrue(self.is_served(port, "127.0.0.1")) # and so it would have been seen
        self.assertEqual(fdsup.status("s")["accepted"], 1)
        s.sendall(b"x")
        self.assertEqual(s.recv(1), b"x")
        fdsup.write(self.cat(port, 'address = "127.0.0.1";'))
        self.assertIn("apply", fdsup.order("reload"))
        self.connect(port)
        fdsup.wait_status("s", lambda s: s["accepted"] == 3, "one that says nothing")


if __name__ == "__main__":
    main()

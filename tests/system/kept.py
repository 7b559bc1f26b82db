"""As many workers as workers.min says stay, however they came to be there; others leave when they are idle."""
import os
import signal

from support import Test, free_port, is_running, main, wait_until


def idle_timeout(pid):
    """In milliseconds, as fdsup gave it to one of its own workers; "0": it never leaves."""
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        words = f.read().split(b"\0")
    return words[words.index(b"--idle-timeout" if b"--idle-timeout" in words else b"--idle-exit") + 1].decode()


class Kept(Test):
    KINDS = ('command = "/bin/cat"; environment = [ "N=%d" ];', 'builtin = "%s";',
             'type = "redirect"; to = "127.0.0.1:%d";')

    def keys(self, kind, n):
        """Of the n-th version of a service, which rolls its workers."""
        what = {0: n, 1: ("echo", "discard")[n % 2], 2: 1000 + n}[kind]
        return self.KINDS[kind] % what

    def service(self, port, keys):
        return 's = { address = "127.0.0.1"; port = %d; %s };' % (port, keys)

    def wait_two(self, fdsup, but=()):
        wait_until("two of them", lambda: len(fdsup.workers("s")) == 2 and
                   not set(fdsup.worker_pids("s")) & set(but))
        return fdsup.worker_pids("s")

    def test_those_that_a_reload_brought(self):
        kept = ' workers = { min = 2; max = 2; }; idle_timeout = "200ms";'
        for kind in range(len(self.KINDS)):
            port = free_port()
            fdsup = self.fdsup(self.service(port, self.keys(kind, 0) + kept))
            fdsup.wait_state("s", "UP")
            for n in (1, 2):
                before = self.wait_two(fdsup)
                fdsup.write(self.service(port, self.keys(kind, n) + kept))
                fdsup.order("reload")
                after = self.wait_two(fdsup, but=before)
                self.assertEqual([idle_timeout(pid) for pid in after], ["0", "0"], kind)

    def test_one_that_came_on_demand_and_leaves_when_there_is_to_be_one(self):
        port = free_port()
        keys = 'command = "/bin/cat"; idle_timeout = "3s";'
        fdsup = self.fdsup(self.service(port, keys))
        self.assertEqual(self.talk(port, b"a"), b"a")
        first, = fdsup.worker_pids("s")
        fdsup.write(self.service(port, keys + " workers = { min = 1; };"))
        fdsup.order("reload")
        wait_until("it leaves", lambda: not is_running(first))
        wait_until("another is there", lambda: len(fdsup.workers("s")) == 1)
        fdsup.wait_state("s", "UP")
        self.assertEqual(idle_timeout(fdsup.worker_pids("s")[0]), "0")
        self.assertEqual(fdsup.status("s")["deaths"], 0)

    def test_one_of_two_that_somebody_ends(self):
        port = free_port()
        fdsup = self.fdsup(self.service(port, 'command = "/bin/cat"; workers = { min = 2; };'))
        fdsup.wait_state("s", "UP")
        first = self.wait_two(fdsup)[0]
        os.kill(first, signal.SIGTERM)
        self.wait_two(fdsup, but=[first])
        fdsup.wait_state("s", "UP")


if __name__ == "__main__":
    main()

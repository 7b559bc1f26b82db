"""A pool of workers grows while clients wait, and shrinks to those that are needed. That takes a minute or
two, in which nothing happens."""
import os

from support import LONG, TAKER, Test, free_port, main, wait_until

# Serves one at a time, until the client has gone. It says nothing, and whoever ends it ends its client.
WORKER = TAKER + r"""
import os
queue = socket.socket(fileno=3)
while True:
    with socket.socket(fileno=take(queue)[1]) as connection:
        connection.sendall(b"%d\n" % os.getpid())
        connection.recv(1)
"""

# Those that were needed in one minute are ended at the end of the next.
TWO_MINUTES = 120 + LONG


class Pool(Test):
    def test_it_grows_while_clients_wait_and_shrinks_to_those_that_are_needed(self):
        fdsup, port = self.unstarted(""), free_port()
        path = os.path.join(fdsup.directory, "worker.py")
        with open(path, "w") as f:
            f.write(WORKER)
        fdsup.write('w = { address = "127.0.0.1"; port = %d; type = "worker"; workers = { min = 1; max = 4; };'
                    ' command = [ "/usr/bin/env", "python3", "-B", "%s" ]; };' % (port, path))
        fdsup.start()
        clients = [self.connect(port) for _ in range(4)]
        served = {int(s.recv(100)) for s in clients}
        self.assertEqual(len(served), 4)
        self.assertEqual(fdsup.status("w")["workers"]["used"], 4)
        # two are needed all the time; of the others nobody is missed
        for s in clients[:2]:
            s.close()
        wait_until("two are idle", lambda: fdsup.status("w")["connections"]["used"] == 2)
        wait_until("it has shrunk", lambda: fdsup.status("w")["workers"]["used"] == 2, TWO_MINUTES)
        self.assertTrue(self.talk(port))
        for s in clients[2:]:
            self.hang_up(s)
        service = fdsup.wait_status("w", lambda s: s["connections"]["used"] == 0 and s["served"] == 5, "all served")
        self.assertEqual((service["lost"], service["deaths"]), (0, 0))

    def hang_up(self, s):
        """Whoever has it has not been ended with it."""
        s.sendall(b"x")
        self.assertEqual(self.read_all(s), b"")


if __name__ == "__main__":
    main()

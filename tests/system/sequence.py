"""The key after: the order in which services are started, and the other way round stopped."""
import os
import signal
import threading

from support import Test, free_port, main, wait_until

# A daemon that says when it starts and ends, and is ready when its file is there.
DAEMON = r'''
echo "start $1" >> "$2/order"
trap 'echo "stop $1" >> "$2/order"; exit 0' TERM
if [ "$3" = waits ]; then
    while ! [ -e "$2/go" ]; do sleep .02; done
fi
[ "$3" = never ] || echo >&$FDSUP_READY_FD
while :; do sleep 1000 & wait; done
'''


class Sequence(Test):
    def setUp(self):
        super().setUp()
        self.fdsup_ = self.unstarted("")
        self.folder = self.fdsup_.directory
        self.daemon = self.fdsup_.script("daemon", DAEMON)

    def service(self, name, after="", mood="", keys=""):
        return '%s = { command = [ "%s", "%s", "%s", "%s" ]; ready = "fd"; after = [ %s ]; %s };\n' % (
            name, self.daemon, name, self.folder, mood, after, keys)

    def start(self, services):
        self.fdsup_.write(services)
        self.fdsup_.start()
        return self.fdsup_

    def order(self):
        try:
            with open(os.path.join(self.folder, "order")) as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def go(self):
        open(os.path.join(self.folder, "go"), "w").close()

    def test_each_is_started_when_those_before_it_are_ready_and_ended_before_them(self):
        fdsup = self.start(self.service("a", '"b", "c"') + self.service("b", '"d"') + self.service("c")
                           + self.service("d", "", "waits"))
        wait_until("the two that need not wait", lambda: set(self.order()) == {"start c", "start d"})
        service = fdsup.status("b")
        self.assertEqual((service["state"], service["wanted"]), ("STARTING", True))
        self.assertIn("is started when d is ready", service["explanation"][0])
        self.assertIn("is started when b is ready", fdsup.status("a")["explanation"][0])
        self.go()
        fdsup.wait_state("a", "UP")
        started = self.order()
        self.assertEqual(started[-2:], ["start b", "start a"])
        fdsup.stop()
        stopped = self.order()[len(started):]
        self.assertEqual(stopped[0], "stop a")
        self.assertEqual(set(stopped), {"stop " + n for n in "abcd"})
        self.assertLess(stopped.index("stop b"), stopped.index("stop d"))

    def test_clients_of_one_that_waits_are_served_when_it_is_started(self):
        port = free_port()
        fdsup = self.start(self.service("z", "", "waits")
                           + 'a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; after = "z"; };' % port)
        s = self.connect(port)
        s.sendall(b"x")
        self.assertEqual(fdsup.status("a")["accepted"], 0)
        self.go()
        self.assertEqual(s.recv(1), b"x")

    def test_one_that_is_not_ready_in_time_is_not_waited_for(self):
        fdsup = self.start(self.service("a", '"b"') + self.service("b", "", "never", 'start_timeout = "500ms";'))
        fdsup.wait_state("a", "UP")
        fdsup.wait_log("a: is started without b, which is not ready after 500ms .after, start_timeout.")

    def test_one_that_dies_at_once_is_waited_for_and_not_for_ever(self):
        fdsup = self.start('b = { command = "/bin/false"; start_timeout = "500ms"; ready = "fd"; };'
                           + self.service("a", '"b"'))
        fdsup.wait_state("a", "UP")

    def test_one_that_is_stopped_or_disabled_is_not_waited_for(self):
        fdsup = self.start(self.service("a", '"b"') + self.service("b", "", "", "enabled = false;"))
        fdsup.wait_state("a", "UP")
        self.assertEqual(self.order(), ["start a"])

    def test_it_is_about_the_order_alone(self):
        """The death, restart and stop of one before it do not touch a service."""
        fdsup = self.start(self.service("a", '"b"') + self.service("b"))
        fdsup.wait_state("a", "UP")
        pids = fdsup.worker_pids("a")
        os.kill(fdsup.worker_pids("b")[0], signal.SIGKILL)
        fdsup.wait_status("b", lambda s: s["deaths"] == 1 and s["state"] == "UP")
        fdsup.order("restart", "b")
        fdsup.order("stop", "b")
        self.assertEqual(fdsup.worker_pids("a"), pids)
        self.assertEqual(fdsup.status("a")["state"], "UP")

    def test_start_and_stop_by_hand_of_several_at_once_keep_the_order(self):
        fdsup = self.start(self.service("a", '"b"') + self.service("b"))
        fdsup.wait_state("a", "UP")
        fdsup.order("stop", "b", "a")
        self.assertEqual(self.order()[2:], ["stop a", "stop b"])
        fdsup.order("start", "a", "b")
        self.assertEqual(self.order()[4:], ["start b", "start a"])

    def test_what_is_stopped_while_it_waits_is_not_started(self):
        port = free_port()
        fdsup = self.start(self.service("b", "", "waits")
                           + 'a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; after = "b"; };' % port)
        self.connect(port)
        fdsup.order("stop", "a")
        self.assertRaises(ConnectionRefusedError, self.connect, port)
        self.go()
        fdsup.wait_state("b", "UP")
        self.assertEqual(fdsup.status("a")["state"], "STOPPED")
        fdsup.order("start", "a")
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_start_waits_for_what_it_waits_for(self):
        fdsup = self.start(self.service("a", '"b"', "", "enabled = false;") + self.service("b", "", "waits"))
        done = []
        thread = threading.Thread(target=lambda: done.append(fdsup.ctl("start", "a")))
        thread.start()
        fdsup.wait_status("a", lambda s: s["state"] == "STARTING", "waiting")
        self.assertEqual(done, [])
        self.go()
        thread.join()
        self.assertEqual(done[0][:2], (0, "a: UP\n"), done)

    def test_stopping_all_while_some_wait_and_a_second_term(self):
        fdsup = self.start(self.service("a", '"b"') + self.service("b", "", "waits"))
        wait_until("b", lambda: self.order() == ["start b"])
        fdsup.stop()
        self.assertEqual(self.order(), ["start b", "stop b"])
        again = self.fdsup('a = { command = [ "/bin/sh", "-c", "trap \'\' TERM; echo on >&2; exec sleep 1000" ];'
                           ' after = [ "b" ]; stop_timeout = "1h"; };\n'
                           'b = { command = [ "/bin/sh", "-c", "trap \'\' TERM; echo on >&2; exec sleep 1000" ];'
                           ' stop_timeout = "1h"; };')
        for name in "ab":
            again.wait_log(name + ": stderr: on")
        again.signal(signal.SIGTERM)
        again.wait_log("stopping 2 services")
        again.wait_state("a", "DRAINING")
        self.assertEqual(again.status("b")["state"], "UP")
        again.signal(signal.SIGTERM)
        self.assertEqual(again.wait(), 0)

    # -- reload

    def test_what_a_reload_adds_is_started_in_order(self):
        fdsup = self.start("")
        fdsup.write(self.service("a", '"b"') + self.service("b", "", "waits"))
        fdsup.order("reload")
        self.assertEqual(fdsup.status("a")["state"], "STARTING")
        self.assertEqual(fdsup.status("a")["workers"]["used"], 0)
        self.go()
        fdsup.wait_state("a", "UP")
        pids = fdsup.worker_pids("a")
        fdsup.write(self.service("a") + self.service("b", '"a"', "waits"))
        self.assertRegex(fdsup.order("reload"), r"a +apply +after\nb +apply +after\n")
        self.assertEqual(fdsup.worker_pids("a"), pids)
        fdsup.stop()
        self.assertEqual(self.order()[-2:], ["stop b", "stop a"])

    def test_one_that_waits_is_changed_moved_and_removed(self):
        first, second = free_port(), free_port()
        service = 'a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; after = "b"; };'
        other = self.service("b", "", "waits")
        fdsup = self.start(other + service % first)
        fdsup.write(other + service % second)
        fdsup.order("reload")
        self.assertRaises(ConnectionRefusedError, self.connect, first)
        s = self.connect(second)
        s.sendall(b"x")
        fdsup.write(other + (service % second).replace("after", "enabled = false; after"))
        fdsup.order("reload")
        self.assertRaises(ConnectionRefusedError, self.connect, second)
        fdsup.write(other + service % first)
        fdsup.order("reload")
        self.go()
        self.assertEqual(self.talk(first, b"x"), b"x")
        os.unlink(os.path.join(self.folder, "go"))
        fdsup.write(other.replace("b =", "c =") + (service % second).replace('"b"', '"c"').replace("a =", "d ="))
        fdsup.order("reload")
        self.connect(second)
        fdsup.write("")
        fdsup.order("reload")
        self.assertRaises(ConnectionRefusedError, self.connect, second)

    def test_a_circle_or_an_unknown_name_changes_nothing(self):
        fdsup = self.start(self.service("a"))
        fdsup.write(self.service("a", '"bb"') + "\n" + self.service("b", '"a"'))
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertRegex(error, r'fdsup\.conf:4: services\.a\.after: there is no service "bb"; did you mean "b"\?')
        fdsup.write(self.service("a", '"b"') + self.service("b", '"a"'))
        code, _, error = fdsup.ctl("reload")
        self.assertRegex(error, r"services\.b\.after: each of these is to be started after the next: a, b, a; ")
        self.assertEqual(fdsup.status("a")["state"], "UP")


if __name__ == "__main__":
    main()

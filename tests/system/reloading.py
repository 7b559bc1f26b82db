"""A reload changes what the file changes, and disturbs nothing else; a wrong file changes nothing."""
import json
import os
import signal
import socket
import threading

from support import LONG, Load, Test, count_descriptors, free_port, main, needs_root, wait_until


class Reloading(Test):
    def cat(self, name, port, keys="", address='"127.0.0.1"'):
        return '%s = { address = %s; port = %d; command = "/bin/cat"; %s };\n' % (name, address, port, keys)

    def echo(self, name, port, text, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/echo %s"; %s };\n' % (
            name, port, text, keys)

    def say(self, s):
        s.sendall(b"hello")
        self.assertEqual(s.recv(5), b"hello")

    def refused(self, port, host="127.0.0.1"):
        try:
            socket.create_connection((host, port), LONG).close()
        except ConnectionRefusedError:
            return True
        return False

    def change(self, fdsup, services, top=""):
        fdsup.write(services, top)
        return fdsup.order("reload")

    def actions(self, fdsup, *arguments):
        code, output, error = fdsup.ctl("--json", "reload", *arguments)
        self.assertEqual(code, 0, error)
        return {c["service"]: (c["action"], c["keys"]) for c in json.loads(output)["changes"]}

    # -- ways to reload

    def test_hup_reloads(self):
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first))
        fdsup.write(self.cat("a", first) + self.cat("b", second))
        fdsup.signal(signal.SIGHUP)
        fdsup.wait_log("reloaded: 1 of 2 services changed")
        self.assertEqual(self.talk(second, b"x"), b"x")

    def test_fdsupctl_reload_answers_with_what_it_did(self):
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first) + self.cat("b", second) + self.cat("c", free_port()))
        fdsup.write(self.cat("a", first, "max_connections = 7;") + self.cat("b", second)
                    + self.cat("d", free_port()))
        self.assertEqual(self.actions(fdsup), {
            "a": ("apply", ["max_connections"]), "b": ("keep", []), "c": ("remove", []), "d": ("add", [])})
        self.assertEqual(self.actions(fdsup), {n: ("keep", []) for n in "abd"})

    def test_dry_run_only_tells_the_plan(self):
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first))
        loaded = fdsup.status()["daemon"]["loaded_at"]
        fdsup.write(self.cat("a", first, 'umask = "077";') + self.cat("b", second))
        self.assertEqual(self.actions(fdsup, "--dry-run"), {"a": ("roll", ["umask"]), "b": ("add", [])})
        self.assertTrue(self.refused(second))
        self.assertEqual([s["name"] for s in fdsup.status()["services"]], ["a"])
        self.assertEqual(fdsup.status()["daemon"]["loaded_at"], loaded)
        fdsup.write("a = { nonsense = 1; };")
        code, _, error = fdsup.ctl("reload", "--dry-run")
        self.assertEqual(code, 1)
        self.assertIn("nonsense", error)
        self.assertIsNone(fdsup.status()["daemon"]["reload_error"])

    def test_an_acceptor_that_dies_has_nothing_to_confirm(self):
        """It was told of the change and is killed before it can say so."""
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first))
        acceptor = fdsup.acceptor_pid()
        os.kill(acceptor, signal.SIGSTOP)
        fdsup.write(self.cat("a", first) + self.cat("b", second))
        answers = []
        reload = threading.Thread(target=lambda: answers.append(fdsup.ctl("reload")))
        reload.start()
        fdsup.wait_log("reloaded: ")
        os.kill(acceptor, signal.SIGKILL)
        reload.join()
        self.assertEqual(answers[0][0], 0, answers[0][2])
        self.assertEqual(self.talk(second, b"x"), b"x")
        self.assertEqual(fdsup.count_log("does not confirm"), 0)

    # -- what changes

    def test_an_added_service_serves_and_a_removed_one_finishes(self):
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first, 'stop_timeout = "1s";'))
        running = self.connect(first)
        self.say(running)
        self.change(fdsup, self.cat("b", second))
        self.assertEqual(self.talk(second, b"x"), b"x")
        self.assertTrue(self.refused(first))
        self.say(running)
        running.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_all(running), b"")
        fdsup.wait_log("a: END .* status=0")
        wait_until("a is gone", lambda: [s["name"] for s in fdsup.status()["services"]] == ["b"])

    def test_a_removed_service_can_come_back_while_it_finishes(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        old = self.connect(port)
        self.say(old)
        self.change(fdsup, "")
        self.assertTrue(self.refused(port))
        self.change(fdsup, self.cat("a", port))
        new = self.connect(port)
        self.say(new)
        self.say(old)
        old.close()
        new.close()
        fdsup.wait_log("a: END ", 2)

    def test_another_command_serves_new_connections_and_running_ones_finish(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        running = self.connect(port)
        self.say(running)
        self.change(fdsup, self.echo("a", port, "new"))
        self.assertEqual(self.talk(port), b"new\n")
        self.say(running)
        running.close()
        fdsup.wait_status("a", lambda s: s["connections"]["used"] == 0, "no connection")

    def test_another_command_under_load_refuses_and_loses_nobody(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        with Load(port) as load:
            for n in range(6):
                load.wait_served(10)
                self.change(fdsup, self.cat("a", port, 'environment = [ "N=%d" ];' % n))
            load.wait_served(10)
        self.assertEqual((load.refused, load.lost), (0, 0))
        self.assertEqual(fdsup.status("a")["lost"], 0)

    @needs_root
    def test_another_user(self):
        port = free_port()
        service = 'a = { address = "127.0.0.1"; port = %d; command = "/usr/bin/id -un"; %s };'
        fdsup = self.fdsup(service % (port, ""))
        self.assertEqual(self.talk(port), b"root\n")
        self.change(fdsup, service % (port, 'user = "nobody";'))
        self.assertEqual(self.talk(port), b"nobody\n")

    def test_a_daemon_with_another_command_is_replaced_and_one_without_is_not(self):
        fdsup = self.fdsup('a = { command = "/bin/sleep 1000"; }; b = { command = "/bin/sleep 1000"; };')
        fdsup.wait_state("a", "UP")
        fdsup.wait_state("b", "UP")
        a, b = fdsup.worker_pids("a"), fdsup.worker_pids("b")
        self.change(fdsup, 'a = { command = "/bin/sleep 1001"; }; b = { command = "/bin/sleep 1000"; };')
        wait_until("another daemon", lambda: fdsup.worker_pids("a") not in ([], a))
        self.assertEqual(fdsup.workers("a")[0]["generation"], 2)
        self.assertEqual(fdsup.worker_pids("b"), b)

    def test_workers_that_are_kept_ready_are_there_after_a_reload(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, "workers = { min = 1; max = 4; };"))

        def ready(generation):
            return len([w for w in fdsup.workers("a")
                        if w["state"] == "READY" and w["generation"] == generation])
        wait_until("a worker", lambda: ready(1) == 1)
        self.change(fdsup, self.cat("a", port, 'workers = { min = 1; max = 4; }; umask = "077";'))
        wait_until("a worker of the new generation", lambda: ready(2) == 1)
        self.change(fdsup, self.cat("a", port, 'workers = { min = 3; max = 4; }; umask = "077";'))
        wait_until("three workers", lambda: ready(2) == 3)

    def test_workers_beyond_a_lowered_maximum_finish_what_they_have(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, "workers = { min = 3; max = 3; };"))
        fdsup.wait_state("a", "UP")
        clients = [self.connect(port) for _ in range(9)]
        for client in clients:
            self.say(client)
        pids = set(fdsup.worker_pids("a"))
        self.change(fdsup, self.cat("a", port, "workers = { min = 1; max = 1; };"))
        fdsup.wait_log("a: 2 workers more than workers.max = 1: no new connections for them")
        self.assertEqual(fdsup.status("a")["workers"], {"used": 1, "limit": 1})
        working = [w["pid"] for w in fdsup.workers("a") if w["state"] == "READY"]
        self.assertEqual(len(working), 1)
        self.assertIn(working[0], pids)
        for client in clients:
            self.say(client)
            client.close()
        wait_until("the others are gone", lambda: fdsup.worker_pids("a") == working)
        status = fdsup.wait_status("a", lambda s: s["served"] == 9, "all")
        self.assertEqual((status["lost"], status["failed"], status["deaths"]), (0, 0, 0))
        self.assertEqual(status["state"], "UP")

    def test_a_lowered_maximum_holds_after_a_change_of_workers_too(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, "workers = { min = 3; max = 3; };"))
        fdsup.wait_state("a", "UP")
        self.change(fdsup, self.cat("a", port, 'workers = { min = 1; max = 1; }; umask = "077";'))
        wait_until("one worker", lambda: [w["generation"] for w in fdsup.workers("a")] == [2])
        self.assertEqual(self.talk(port, b"x"), b"x")

    def test_limits_change_without_new_workers(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, "max_connections = 1;"))
        first, second = self.connect(port), self.connect(port)
        self.say(first)
        workers = fdsup.worker_pids("a")
        self.change(fdsup, self.cat("a", port, "max_connections = 2;"))
        self.say(second)
        self.say(first)
        self.assertEqual(fdsup.worker_pids("a"), workers)
        self.assertEqual(fdsup.status("a")["connections"], {"used": 2, "limit": 2})

    def test_a_port_moves_from_one_service_to_another_without_a_gap(self):
        port, other = free_port(), free_port()
        configurations = [self.cat("a", port) + self.cat("z", other),
                          self.cat("a", other) + self.cat("z", port),
                          self.cat("m", port)]
        fdsup = self.fdsup(configurations[0])
        with Load(port) as load:
            for n in range(1, 9):
                load.wait_served(10)
                self.change(fdsup, configurations[n % 3])
            load.wait_served(10)
        self.assertEqual((load.refused, load.lost), (0, 0))

    def test_addresses_are_added_and_removed_and_the_others_stay(self):
        port = free_port("127.0.0.3")
        fdsup = self.fdsup(self.cat("a", port, address='[ "127.0.0.1" ]'))
        running = self.connect(port)
        self.say(running)
        with Load(port) as load:
            for _ in range(3):
                self.change(fdsup, self.cat("a", port, address='[ "127.0.0.1", "127.0.0.3" ]'))
                self.assertEqual(self.talk(port, b"x", host="127.0.0.3"), b"x")
                self.change(fdsup, self.cat("a", port, address='[ "127.0.0.1" ]'))
                self.assertTrue(self.refused(port, "127.0.0.3"))
                load.wait_served(5)
        self.assertEqual((load.refused, load.lost), (0, 0))
        self.say(running)

    def test_a_port_changes_and_changes_back(self):
        first, second = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", first))
        for old, new in ((first, second), (second, first)):
            self.change(fdsup, self.cat("a", new))
            self.assertEqual(self.talk(new, b"x"), b"x")
            self.assertTrue(self.refused(old))

    def test_enabled_false_stops_and_true_starts(self):
        port = free_port()
        both = self.cat("a", port), 'b = { command = "/bin/sleep 1000"; %s };'
        fdsup = self.fdsup(both[0] + both[1] % "")
        self.change(fdsup, self.cat("a", port, "enabled = false;") + both[1] % "enabled = false;")
        self.assertTrue(self.refused(port))
        for name in "ab":
            service = fdsup.wait_state(name, "STOPPED")
            self.assertEqual((service["wanted"], service["healthy"]), (False, True))
        self.assertEqual(fdsup.workers("b"), [])
        self.change(fdsup, both[0] + both[1] % "")
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_state("b", "UP")

    def test_the_type_changes(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        running = self.connect(port)
        self.say(running)
        self.change(fdsup, 'a = { command = "/bin/sleep 1000"; };')
        self.assertTrue(self.refused(port))
        self.assertEqual(fdsup.wait_state("a", "UP")["type"], "daemon")
        self.change(fdsup, self.cat("a", port))
        self.assertEqual(self.talk(port, b"x"), b"x")
        # the daemon has the same name, and is there until it has ended
        wait_until("the new one is all there is", lambda: fdsup.status("a")["type"] == "exec")

    def test_a_service_stopped_by_hand_stays_stopped_and_takes_the_change_when_started(self):
        port = free_port()
        fdsup = self.fdsup(self.echo("a", port, "old"))
        fdsup.order("stop", "a")
        self.change(fdsup, self.echo("a", port, "new"))
        self.assertEqual(fdsup.status("a")["state"], "STOPPED")
        self.assertTrue(self.refused(port))
        fdsup.order("start", "a")
        self.assertEqual(self.talk(port), b"new\n")

    def test_a_failed_service_is_tried_again_with_its_new_command(self):
        fdsup = self.fdsup('a = { command = "/bin/false"; restart_delay = "10ms"; give_up = "2/10s"; };')
        fdsup.wait_state("a", "FAILED")
        self.change(fdsup, 'a = { command = "/bin/sleep 1000"; give_up = "2/10s"; };')
        fdsup.wait_state("a", "UP")

    # -- what must not change

    def check_nothing_changed(self, fdsup, port, running, workers, cause):
        reason = fdsup.status()["daemon"]["reload_error"]
        self.assertIn(cause, reason)
        self.assertEqual(self.talk(port, b"x"), b"x")
        self.say(running)
        self.assertEqual(fdsup.worker_pids("a"), workers)
        self.assertEqual([s["name"] for s in fdsup.status()["services"]], ["a"])

    def test_a_wrong_file_changes_nothing_and_status_says_why_until_it_is_right(self):
        port, other, taken = free_port(), free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", port))
        running = self.connect(port)
        self.say(running)
        workers = fdsup.worker_pids("a")
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", taken))
            holder.listen()
            good = self.cat("b", other)
            for services, cause in ((good + "c = {", "fdsup.conf"), (good + "c = { prot = 1; };", "prot"),
                                    (good + self.cat("c", taken), "address in use"),
                                    (good + 'c = { command = "/no/such/program"; };', "/no/such/program")):
                fdsup.write(services)
                code, output, error = fdsup.ctl("reload")
                self.assertEqual((code, output), (1, ""))
                self.assertIn(cause, error)
                self.check_nothing_changed(fdsup, port, running, workers, cause)
                self.assertTrue(self.refused(other))
            fdsup.signal(signal.SIGHUP)
            fdsup.wait_log("reload failed: nothing has changed", 5)
            self.check_nothing_changed(fdsup, port, running, workers, "/no/such/program")
        self.assertIn("/no/such/program", fdsup.ctl("status")[1])
        self.change(fdsup, self.cat("a", port))
        self.assertIsNone(fdsup.status()["daemon"]["reload_error"])

    def test_a_file_that_has_vanished_changes_nothing(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        running = self.connect(port)
        self.say(running)
        workers = fdsup.worker_pids("a")
        os.unlink(fdsup.path)
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertIn("No such file", error)
        self.check_nothing_changed(fdsup, port, running, workers, "No such file")
        os.mkfifo(fdsup.path)
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        self.check_nothing_changed(fdsup, port, running, workers, "FIFO")

    def test_a_file_that_is_half_written_or_may_not_be_read_changes_nothing(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        with open(fdsup.path) as f:
            whole = f.read()
        good = whole.replace("/bin/cat", "/bin/echo new")
        for n in range(len(good) // 10, len(good) - 5, len(good) // 5):
            with open(fdsup.path, "w") as f:
                f.write(good[:n])
            self.assertEqual(fdsup.ctl("reload")[0], 1, good[:n])
            self.assertEqual(self.talk(port, b"x"), b"x")
        os.chmod(fdsup.path, 0o666)     # anybody could have written it
        with open(fdsup.path, "w") as f:
            f.write(good)
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertIn("fdsup.conf", error)
        self.assertEqual(self.talk(port, b"x"), b"x")
        os.chmod(fdsup.path, 0o644)
        fdsup.order("reload")
        self.assertEqual(self.talk(port), b"new\n")

    def test_files_of_an_included_folder_come_change_and_go(self):
        first, second = free_port(), free_port()
        fdsup = self.unstarted()
        folder = os.path.join(fdsup.directory, "conf.d")
        os.mkdir(folder, 0o755)

        def write(name, text):
            with open(os.path.join(folder, name), "w") as f:
                f.write("services = { %s };" % text)
            os.chmod(os.path.join(folder, name), 0o644)
        top = 'include = "%s";' % folder
        fdsup.write(self.cat("a", first), top)
        fdsup.start()
        write("b.conf", self.cat("b", second))
        self.assertEqual(self.actions(fdsup)["b"][0], "add")
        self.assertEqual(self.talk(second, b"x"), b"x")
        write("b.conf", self.echo("b", second, "changed"))
        self.assertEqual(self.actions(fdsup)["b"], ("roll", ["command"]))
        self.assertEqual(self.talk(second), b"changed\n")
        write("c.conf", self.cat("a", free_port()))     # there is one of this name
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertIn("c.conf", error)
        os.unlink(os.path.join(folder, "c.conf"))
        os.unlink(os.path.join(folder, "b.conf"))
        self.assertEqual(self.actions(fdsup)["b"][0], "remove")
        self.assertTrue(self.refused(second))
        os.rmdir(folder)
        self.assertEqual(fdsup.ctl("reload")[0], 1)
        self.assertEqual(self.talk(first, b"x"), b"x")

    def test_a_command_that_is_replaced_on_disk_is_used_from_the_next_connection_on(self):
        port = free_port()
        fdsup = self.unstarted()
        path = fdsup.script("it", "echo old\n")
        fdsup.write('a = { address = "127.0.0.1"; port = %d; command = "%s"; };' % (port, path))
        fdsup.start()
        self.assertEqual(self.talk(port), b"old\n")
        fdsup.script("it", "echo new\n")
        self.assertEqual(self.talk(port), b"new\n")
        self.assertEqual(self.actions(fdsup), {"a": ("keep", [])})
        os.unlink(path)
        code, _, error = fdsup.ctl("reload")
        self.assertEqual(code, 1)
        self.assertIn(path, error)

    def test_fifty_reloads_lose_no_connection_and_no_descriptor(self):
        steady, changing, coming, moving = (free_port() for _ in range(4))
        lasting = 'workers = { max = 1; }; idle_timeout = "1h"; '
        configurations = [
            self.cat("steady", steady, lasting) + self.cat("changing", changing, lasting)
            + self.cat("moving", moving),
            self.cat("steady", steady, lasting)
            + self.cat("changing", changing, lasting + 'umask = "077"; max_connections = 9;')
            + self.cat("coming", coming) + self.cat("moved", moving)]
        fdsup = self.fdsup(configurations[0])
        running = [self.connect(port) for port in (steady, changing)]
        for s in running:
            self.say(s)
        workers = fdsup.worker_pids("steady")
        acceptor = fdsup.acceptor_pid()

        def count():
            return count_descriptors(fdsup.pid), count_descriptors(acceptor)

        def settled():
            """All that was replaced has gone."""
            return [s["name"] for s in fdsup.status()["services"]] == ["changing", "moving", "steady"] and \
                len(fdsup.workers("changing")) == 1

        before = None
        loads = [Load(port, clients=1) for port in (steady, changing, moving)]
        for load in loads:
            load.__enter__()
        try:
            for n in range(1, 51):
                fdsup.write(configurations[n % 2])
                if n % 5:
                    fdsup.order("reload")
                else:
                    done = fdsup.count_log("reloaded: ")
                    fdsup.signal(signal.SIGHUP)
                    fdsup.wait_log("reloaded: ", done + 1)
        finally:
            for load in loads:
                load.__exit__()
        for load in loads:
            self.assertEqual((load.refused, load.lost), (0, 0))
            self.assertGreater(load.served, 0)
        self.assertEqual(fdsup.worker_pids("steady"), workers)
        self.assertEqual(fdsup.acceptor_pid(), acceptor)
        for s in running:
            self.say(s)
            s.close()
        self.assertEqual(self.talk(changing, b"x"), b"x")
        wait_until("one worker left", settled)
        before = count()
        # As many again cost nothing: what the first ones left would show twice.
        for n in range(1, 11):
            self.change(fdsup, configurations[n % 2])
        self.assertEqual(self.talk(changing, b"x"), b"x")
        wait_until("one worker left", settled)
        wait_until("no more descriptors than before",
                   lambda: all(n <= m for n, m in zip(count(), before)))

    def test_untouched_services_keep_their_workers_and_connections(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port) + 'b = { command = "/bin/sleep 1000"; };')
        fdsup.wait_state("b", "UP")
        running = self.connect(port)
        self.say(running)
        before = fdsup.worker_pids("a"), fdsup.worker_pids("b"), fdsup.acceptor_pid()
        for n in range(3):
            self.change(fdsup, self.cat("a", port) + 'b = { command = "/bin/sleep 1000"; };'
                        + self.cat("c%d" % n, free_port()))
        self.assertEqual((fdsup.worker_pids("a"), fdsup.worker_pids("b"), fdsup.acceptor_pid()), before)
        self.say(running)
        self.assertEqual(fdsup.status("a")["connections"]["used"], 1)

    def test_orders_during_reloads_are_all_answered(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        failures = []

        def reload():
            for _ in range(5):
                code, _, error = fdsup.ctl("reload")
                if code:
                    failures.append(error)
        threads = [threading.Thread(target=reload) for _ in range(3)]
        for t in threads:
            t.start()
        for _ in range(5):
            fdsup.order("stop", "a")
            fdsup.order("start", "a")
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.talk(port, b"x"), b"x")

    # -- the whole

    def test_the_log_file_is_opened_anew(self):
        port = free_port()
        fdsup = self.unstarted()
        path = os.path.join(fdsup.directory, "fdsup.log")
        top = 'log = { to = "%s"; };' % path
        fdsup.write(self.cat("a", port), top)
        fdsup.start()
        os.rename(path, path + ".1")
        self.talk(port, b"x")
        wait_until("the old file is written to", lambda: "a: END " in open(path + ".1").read())
        fdsup.signal(signal.SIGHUP)
        wait_until("the new file", lambda: os.path.exists(path) and "reloaded" in open(path).read())
        os.rename(path, path + ".2")
        fdsup.order("reload")
        wait_until("the new file", lambda: os.path.exists(path) and "reloaded" in open(path).read())

    def test_global_keys_that_are_fixed_say_so(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        self.change(fdsup, self.cat("a", port), "acceptors = 2;")
        fdsup.wait_log("acceptors has changed: it takes effect when fdsup is restarted")
        self.assertEqual(len(fdsup.status()["daemon"]["acceptors"]), 1)


if __name__ == "__main__":
    main()

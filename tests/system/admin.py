"""The admin socket and fdsupctl: who may do what, exit codes, JSON, Varlink, and hostile clients."""
import array
import json
import os
import re
import signal
import socket

from support import (LONG, Test, as_nobody, free_port, main, needs_root, reap_orphans, run,
                     wait_until)
from varlink_client import Client

SOURCE = os.environ.get("FDSUP_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))


def declared():
    """The types and methods of the interface file, as {name: {field: type}}."""
    with open(os.path.join(SOURCE, "src", "admin", "org.fdsup.varlink")) as f:
        text = re.sub(r"#.*", "", f.read())
    types = {}
    for name, fields in re.findall(r"type (\w+) \(([^)]*)\)", text):
        types[name] = dict(re.findall(r"(\w+): ([?\[\]\w]+)", fields))
    for name, fields in re.findall(r"method (\w+)\([^)]*\) -> \(([^)]*)\)", text):
        types[name] = dict(re.findall(r"(\w+): ([?\[\]\w]+)", fields))
    return types


class Admin(Test):
    def cat(self, name, port, keys=""):
        return '%s = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; %s };\n' % (name, port, keys)

    def client(self, fdsup, **keywords):
        client = Client(fdsup.socket_path, **keywords)
        self.sockets.append(client.socket)
        return client

    def answered(self, fdsup):
        """Somebody else is answered meanwhile."""
        with Client(fdsup.socket_path) as client:
            self.assertIn("parameters", client.call("org.fdsup.Status"))

    # -- who may

    @needs_root
    def test_another_user_is_refused_by_default(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        for verb in (["status"], ["stop", "a"], ["reload"]):
            code, output, error = fdsup.ctl(*verb, prefix=as_nobody())
            self.assertEqual((code, output), (4, ""))
            self.assertIn("ermission denied", error)
        self.assertEqual(fdsup.status("a")["wanted"], True)

    @needs_root
    def test_status_for_everybody_lets_read_and_not_control(self):
        fdsup = self.fdsup(self.cat("a", free_port()), top='admin = { status = [ "*" ]; };')
        for verb in ("status", "listeners", "workers"):
            code, output, error = fdsup.ctl(verb, prefix=as_nobody())
            self.assertEqual((code, error), (0, ""))
        for verb in (["stop", "a"], ["start", "a"], ["restart", "a"], ["reload"], ["reload", "--dry-run"]):
            code, output, error = fdsup.ctl(*verb, prefix=as_nobody())
            self.assertEqual((code, output), (4, ""), verb)
            self.assertIn("admin.control", error)
        self.assertEqual(fdsup.status("a")["wanted"], True)

    @needs_root
    def test_a_named_user_and_a_named_group_may_control_also_after_a_reload(self):
        services = self.cat("a", free_port())
        fdsup = self.fdsup(services, top='admin = { control = [ "nobody" ]; };')
        self.assertEqual(fdsup.ctl("stop", "a", prefix=as_nobody())[0], 0)
        daemon = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
        self.assertEqual(fdsup.ctl("start", "a", prefix=daemon)[0], 4)
        fdsup.write(services, 'admin = { control = [ "@daemon" ]; };')
        fdsup.order("reload")
        self.assertEqual(fdsup.ctl("start", "a", prefix=daemon)[0], 0)
        self.assertEqual(fdsup.ctl("stop", "a", prefix=as_nobody())[0], 4)

    @needs_root
    def test_a_supplementary_group_counts(self):
        fdsup = self.fdsup(self.cat("a", free_port()), top='admin = { control = [ "@mail" ]; };')
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=8"]
        self.assertEqual(fdsup.ctl("stop", "a", prefix=prefix)[0], 0)

    def test_the_socket_is_closed_to_others_unless_the_file_names_somebody(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        self.assertEqual(os.stat(fdsup.socket_path).st_mode & 0o777, 0o600)
        fdsup.write(self.cat("a", free_port()), 'admin = { status = [ "*" ]; };')
        fdsup.order("reload")
        self.assertEqual(os.stat(fdsup.socket_path).st_mode & 0o777, 0o666)

    # -- exit codes

    def test_exit_codes_of_status(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("good", port) + 'bad = { command = "/bin/false"; };'
                           + self.cat("off", free_port(), "enabled = false;"))
        fdsup.wait_state("bad", "BACKOFF")
        self.assertEqual(fdsup.ctl("status")[0], 150)
        self.assertEqual(fdsup.ctl("status", "bad")[0], 150)
        self.assertEqual(fdsup.ctl("status", "good")[0], 0)
        self.assertEqual(fdsup.ctl("status", "off")[0], 3)
        fdsup.order("stop", "bad")
        self.assertEqual(fdsup.ctl("status")[0], 0)
        self.assertEqual(fdsup.ctl("status", "bad")[0], 3)
        self.assertEqual(fdsup.ctl("status", "no-such-service")[0], 4)
        self.assertEqual(fdsup.ctl("start", "no-such-service")[0], 1)

    def test_exit_codes_without_a_daemon(self):
        fdsup = self.unstarted()
        for verb in (["status"], ["listeners"], ["stop", "a"], ["reload"]):
            self.assertEqual(fdsup.ctl(*verb)[0], 3, verb)

    def test_exit_codes_of_usage(self):
        for arguments in (["nonsense"], ["stop"], ["--nonsense"], ["reload", "now"], ["status", "-o", "nonsense"],
                          ["stop", "--dry-run", "a"], []):
            code, output, error = run("fdsupctl", "-s", "/nonexistent", *arguments)
            self.assertEqual((code, output), (64, ""), arguments)
            self.assertIn("fdsupctl", error)
        self.assertIn('did you mean "restart"?', run("fdsupctl", "restrat", "a")[2])

    def test_the_socket_is_found_by_option_and_by_environment(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        self.assertEqual(run("fdsupctl", "status", environment={"FDSUP_SOCKET": fdsup.socket_path})[0], 0)
        self.assertEqual(run("fdsupctl", "-s", fdsup.socket_path, "status",
                             environment={"FDSUP_SOCKET": "/nonexistent"})[0], 0)
        self.assertEqual(run("fdsupctl", "--socket=" + fdsup.socket_path, "status")[0], 0)

    # -- a daemon that is not there

    def test_status_tells_of_a_daemon_that_was_killed_and_of_its_ports(self):
        port, other = free_port(), free_port()
        fdsup = self.fdsup(self.cat("a", port) + self.cat("b", other))
        fdsup.process.kill()
        fdsup.wait()
        reap_orphans()
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", port))
            holder.listen()
            code, output, error = fdsup.ctl("status")
            self.assertEqual(code, 1)
            self.assertIn("fdsup died", output)
            self.assertIn("pid %d, started " % fdsup.pid, output)
            self.assertRegex(output, r"127\.0\.0\.1 +%d +a +.*pid %d" % (port, os.getpid()))
            self.assertRegex(output, r"127\.0\.0\.1 +%d +b +nobody" % other)
            code, output, _ = fdsup.ctl("--json", "status")
            self.assertEqual(code, 1)
            dead = json.loads(output)
            self.assertEqual((dead["version"], dead["died"], dead["running"], dead["pid"]),
                             (1, True, False, fdsup.pid))
            self.assertIn("pid %d" % os.getpid(), dead["listeners"][0]["held_by"])

    def test_status_tells_of_a_daemon_that_hangs(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        os.kill(fdsup.pid, signal.SIGSTOP)
        try:
            code, _, error = fdsup.ctl("status")
        finally:
            os.kill(fdsup.pid, signal.SIGCONT)
        self.assertEqual(code, 4)
        self.assertIn("fdsup (pid %d) does not answer" % fdsup.pid, error)

    # -- JSON

    def check_fields(self, types, name, value):
        """The value has the fields of the type, of the right types, and perhaps more."""
        plain = {"string": str, "int": int, "float": (int, float), "bool": bool, "object": dict}
        for field, kind in types[name].items():
            self.assertIn(field, value, name)
            item = value[field]
            if kind.startswith("?"):
                if item is None:
                    continue
                kind = kind[1:]
            items = item if kind.startswith("[]") else [item]
            kind = kind.removeprefix("[]")
            for one in items:
                if kind in plain:
                    self.assertIsInstance(one, plain[kind], "%s.%s" % (name, field))
                    self.assertFalse(kind == "int" and isinstance(one, bool), "%s.%s" % (name, field))
                else:
                    self.check_fields(types, kind, one)

    def test_json_holds_the_fields_of_the_interface_and_a_version(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port, 'description = "an echo";') + 'b = { command = "/bin/false"; };'
                           + self.cat("c", free_port(), "enabled = false;"))
        self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_state("b", "BACKOFF")
        types = declared()
        for verb in (["status"], ["status", "a"], ["listeners"], ["workers"], ["reload", "--dry-run"],
                     ["stop", "c"], ["restart", "a"], ["start", "a"], ["reload"]):
            code, output, error = fdsup.ctl("--json", *verb)
            answer = json.loads(output)
            self.assertEqual(answer["version"], 1)
            self.check_fields(types, verb[0].capitalize(), answer)
        status = fdsup.status()
        self.assertEqual([s["name"] for s in status["services"]], ["a", "b", "c"])
        self.assertEqual(status["daemon"]["pid"], fdsup.pid)
        self.assertEqual(status["daemon"]["config_file"], fdsup.path)
        self.assertEqual(status["services"][0]["description"], "an echo")
        self.assertEqual(status["services"][0]["listen"], ["tcp 127.0.0.1:%d" % port])

    def test_errors_are_json_as_well(self):
        fdsup = self.fdsup(self.cat("mail", free_port()))
        code, output, _ = fdsup.ctl("--json", "stop", "mial")
        answer = json.loads(output)
        self.assertEqual((code, answer["error"]), (1, "org.fdsup.UnknownService"))
        self.assertEqual(answer["parameters"], {"service": "mial", "suggestion": "mail"})

    def test_columns(self):
        port = free_port()
        fdsup = self.fdsup(self.cat("a", port))
        code, output, _ = fdsup.ctl("status", "-o", "STATE,SERVICE")
        self.assertEqual(code, 0)
        self.assertRegex(output, r"STATE +SERVICE *\n.*ON-DEMAND +a")
        code, output, _ = fdsup.ctl("listeners")
        self.assertIn("127.0.0.1:%d" % port, output)

    # -- Varlink

    def test_varlink_introspection(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        client = self.client(fdsup)
        info = client.call("org.varlink.service.GetInfo")["parameters"]
        self.assertEqual(info["product"], "fdsup")
        self.assertEqual(set(info["interfaces"]), {"org.fdsup", "org.varlink.service"})
        for name in info["interfaces"]:
            answer = client.call("org.varlink.service.GetInterfaceDescription", interface=name)
            self.assertIn("interface %s\n" % name, answer["parameters"]["description"])
        with open(os.path.join(SOURCE, "src", "admin", "org.fdsup.varlink")) as f:
            description = client.call("org.varlink.service.GetInterfaceDescription", interface="org.fdsup")
            self.assertEqual(description["parameters"]["description"].strip(), f.read().strip())

    def test_varlink_errors(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        client = self.client(fdsup)
        for method, parameters, error in (
                ("org.fdsup.Nonsense", {}, "org.varlink.service.MethodNotFound"),
                ("org.nonsense.Status", {}, "org.varlink.service.InterfaceNotFound"),
                ("org.fdsup.Stop", {"services": "a"}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Stop", {}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Stop", {"services": []}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Stop", {"services": [1]}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Reload", {"dry_run": "yes"}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Status", {"services": "a"}, "org.varlink.service.InvalidParameter"),
                ("org.fdsup.Status", {"services": ["b"]}, "org.fdsup.UnknownService")):
            self.assertEqual(client.call(method, **parameters).get("error"), error, (method, parameters))
        self.assertTrue(fdsup.status("a")["wanted"])
        self.assertIn("parameters", client.call("org.fdsup.Status"))

    def test_several_requests_at_once_are_answered_in_their_order(self):
        fdsup = self.fdsup(self.cat("a", free_port()) + self.cat("b", free_port()))
        client = self.client(fdsup)
        for name in "abab":
            client.send("org.fdsup.Status", services=[name])
        self.assertEqual([client.receive()["parameters"]["services"][0]["name"] for _ in range(4)], list("abab"))

    # -- hostile clients

    def test_garbage_ends_its_own_connection_and_nothing_else(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        for garbage in (b"\0", b"GET / HTTP/1.1\r\n\r\n\0", b"{}\0", b"[]\0", b'{"method":1}\0', b"\xff\xfe\0",
                        b'{"method":"org.fdsup.Status","parameters":[]}\0', b"[" * 30000 + b"\0",
                        b'{"method":"org.fdsup.Status","parameters":{"services":["\\ud800"]}}\0'):
            client = self.client(fdsup)
            client.socket.sendall(garbage)
            client.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(client.is_closed(), garbage[:40])
            self.answered(fdsup)

    def test_a_megabyte_without_an_end_is_cut_off(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        client = self.client(fdsup)
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            for _ in range(64):
                client.socket.sendall(b"x" * 16384)
        fdsup.wait_log("admin: uid .* request longer than 64 KiB; connection closed")
        self.answered(fdsup)

    def test_half_a_request_and_a_close(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        before = len(os.listdir("/proc/%d/fd" % fdsup.pid))
        for _ in range(20):
            client = self.client(fdsup)
            client.socket.sendall(b'{"method":"org.fdsup.Sta')
            client.close()
        self.answered(fdsup)
        wait_until("no descriptor left", lambda: len(os.listdir("/proc/%d/fd" % fdsup.pid)) <= before)

    def test_three_hundred_idle_connections_keep_nobody_out(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        for _ in range(300):
            self.client(fdsup)
        for _ in range(5):
            self.answered(fdsup)

    @needs_root
    def test_one_user_cannot_take_all_connections(self):
        fdsup = self.fdsup(self.cat("a", free_port()), top='admin = { status = [ "*" ]; };')
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                clients = [Client(fdsup.socket_path) for _ in range(400)]
                for client in clients[-10:]:
                    client.send("org.fdsup.Status")
                signal.pause()
            finally:
                os._exit(1)
        try:
            fdsup.wait_log("admin: too many connections of one user")
            for _ in range(5):
                self.answered(fdsup)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def test_a_reader_that_never_reads_is_dropped_and_others_are_answered(self):
        fdsup = self.fdsup("".join(self.cat("service-%d" % n, free_port()) for n in range(40)))
        deaf = self.client(fdsup)
        deaf.socket.setblocking(False)
        request = json.dumps({"method": "org.fdsup.Status"}).encode() + b"\0"
        try:
            while True:
                deaf.socket.send(request * 100)
        except BlockingIOError:
            pass
        for _ in range(5):
            self.answered(fdsup)
        fdsup.wait_log("admin: uid .* does not read its answers; connection closed")
        self.answered(fdsup)

    def test_descriptors_that_nobody_asked_for_are_closed(self):
        fdsup = self.fdsup(self.cat("a", free_port()))
        before = len(os.listdir("/proc/%d/fd" % fdsup.pid))
        client = self.client(fdsup)
        request = json.dumps({"method": "org.fdsup.Status"}).encode() + b"\0"
        with open("/dev/null") as null:
            client.socket.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                               array.array("i", [null.fileno()] * 200))])
            self.assertIn("parameters", client.receive())
            self.assertLessEqual(len(os.listdir("/proc/%d/fd" % fdsup.pid)), before + 1)

    def test_a_client_that_leaves_during_a_long_order_leaves_nothing(self):
        port = free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; stop_timeout = "700ms"; command ='
                           ' [ "/bin/sh", "-c", "trap \'\' TERM; echo ready; sleep 1000" ]; };' % port)
        s = self.connect(port)
        self.assertEqual(s.recv(6), b"ready\n")
        for _ in range(3):
            client = self.client(fdsup)
            client.send("org.fdsup.Stop", services=["a"])
            client.close()
        fdsup.wait_state("a", "STOPPED")
        self.answered(fdsup)

    def test_remote_text_is_harmless_on_a_terminal(self):
        fdsup = self.unstarted()
        script = fdsup.script("it", r"printf '\033[2J\007evil\n' >&2; exit 1" "\n")
        fdsup.write('a = { command = "%s"; };' % script)
        fdsup.start()
        fdsup.wait_status("a", lambda s: s["last_words"], "last words")
        for arguments in (["status"], ["--json", "status"]):
            output = fdsup.ctl(*arguments)[1]
            self.assertIn("evil", output)
            self.assertNotIn("\033[2J", output)
            self.assertNotIn("\007", output)


if __name__ == "__main__":
    main()

"""The configuration files of examples/, as an administrator copies them, with real clients.

Each is put into an included folder, as examples/README.md says. Only what belongs to another machine is
replaced: ports by free ones, paths and users by what there is here.
"""
import http.server
import os
import pwd
import re
import shutil
import signal
import smtplib
import socketserver
import subprocess
import threading

from support import BIN, IS_ROOT, LONG, Test, as_nobody, free_port, main, needs_root, wait_until

EXAMPLES = os.path.join(os.environ["FDSUP_SOURCE"], "examples")
BUILT = os.path.normpath(os.path.join(BIN, os.pardir, "examples"))
PUBLIC = "for everybody\n"


class UnixHttp(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello over unix\n")

    def log_message(self, *unused):
        pass


class Examples(Test):
    # -- the example's own file

    def prepare(self, name):
        """An fdsup, not yet started, that includes a folder for the example."""
        fdsup = self.unstarted("", 'include = "fdsup.d"; defaults = { address = "127.0.0.1"; };')
        self.folder = os.path.join(fdsup.directory, "fdsup.d")
        self.name = name
        os.mkdir(self.folder)
        return fdsup

    def start(self, fdsup, replaced=()):
        """Puts the example in place and starts it. Returns {port in the file: port here}."""
        with open(os.path.join(EXAMPLES, self.name)) as f:
            text = f.read()
        for old, new in dict(replaced).items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        if not IS_ROOT:
            text = re.sub(r'user = "\w+"', 'user = "%s"' % pwd.getpwuid(os.geteuid()).pw_name, text)
        ports = {int(port): free_port() for port in re.findall(r"\bport = (\d+)", text)}
        text = re.sub(r"\bport = (\d+)", lambda m: "port = %d" % ports[int(m.group(1))], text)
        with open(os.path.join(self.folder, os.path.basename(self.name)), "w") as f:
            f.write(text)
        fdsup.start()
        return ports

    # -- helpers

    def need(self, program):
        path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not path:
            self.skipTest(program + " is not installed")
        return path

    def run_client(self, *words, prefix=()):
        done = subprocess.run([*prefix, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=2 * LONG)
        return done.returncode, done.stdout, done.stderr

    def client(self, *words):
        """What a client that must succeed prints."""
        code, output, error = self.run_client(*words)
        self.assertEqual(code, 0, error)
        return output

    def curl(self, port, *options):
        return self.client(self.need("curl"), "-sS", "--max-time", "%d" % LONG, *options,
                           "http://127.0.0.1:%d/" % port)

    def folder_of(self, fdsup, name, user="nobody", mode=0o755):
        path = os.path.join(fdsup.directory, name)
        os.mkdir(path)
        if IS_ROOT:
            shutil.chown(path, user)
        os.chmod(path, mode)
        return path

    def beside(self, *words):
        """A server of another's, not fdsup's; ended with the test."""
        self.others.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL))

    def setUp(self):
        super().setUp()
        self.others = []

    def tearDown(self):
        for process in self.others:
            process.terminate()
            process.wait()
        super().tearDown()

    def wait_answering(self, port):
        def answers():
            try:
                self.connect(port).close()
                return True
            except ConnectionRefusedError:
                return False
        wait_until("port %d is open" % port, answers)

    # -- a command for each connection

    def test_rsync(self):
        self.need("rsync")
        fdsup = self.prepare("rsync.conf")
        pub = self.folder_of(fdsup, "pub")
        rsyncd = os.path.join(fdsup.directory, "rsyncd.conf")
        with open(os.path.join(pub, "file"), "w") as f:
            f.write(PUBLIC)
        with open(os.path.join(EXAMPLES, "rsyncd.conf")) as f:
            text = f.read().replace("/srv/pub", pub)
        if not IS_ROOT:
            text = re.sub(r"(?m)^(uid|gid|use chroot) = .*$", "", text) + "\tuse chroot = no\n"
        with open(rsyncd, "w") as f:
            f.write(text)
        port = self.start(fdsup, {"/etc/rsyncd.conf": rsyncd})[873]
        url = "rsync://127.0.0.1:%d/" % port
        self.assertIn("files for everybody", self.client("rsync", url))
        copy = os.path.join(fdsup.directory, "copy")
        self.client("rsync", "-a", url + "pub/", copy + "/")
        with open(os.path.join(copy, "file")) as f:
            self.assertEqual(f.read(), PUBLIC)

    def test_git(self):
        self.need("git")
        fdsup = self.prepare("git.conf")
        base = self.folder_of(fdsup, "git")
        bare, work = os.path.join(base, "project.git"), os.path.join(fdsup.directory, "work")
        git = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")
        self.client(*git, "init", "-q", work)
        self.client(*git, "-C", work, "commit", "-q", "--allow-empty", "-m", PUBLIC)
        self.client(*git, "clone", "-q", "--bare", work, bare)
        open(os.path.join(bare, "git-daemon-export-ok"), "w").close()
        if IS_ROOT:
            self.client("chown", "-R", "nobody", bare)
        port = self.start(fdsup, {"/srv/git": base})[9418]
        clone = os.path.join(fdsup.directory, "clone")
        self.client("git", "clone", "-q", "git://127.0.0.1:%d/project.git" % port, clone)
        self.assertIn(PUBLIC, self.client("git", "-C", clone, "log"))

    def test_health(self):
        fdsup = self.prepare("health.conf")
        script = os.path.join(fdsup.directory, "fdsup-health")
        shutil.copy(os.path.join(EXAMPLES, "health.sh"), script)
        maintenance = os.path.join(fdsup.directory, "maintenance")
        # Whether this machine is full or busy is not the question.
        port = self.start(fdsup, {
            "/usr/local/libexec/fdsup-health": script,
            "HEALTH_MAX_LOAD=50": 'HEALTH_MAX_LOAD=100000", "HEALTH_DISK_PERCENT=100",'
                                  ' "HEALTH_MAINTENANCE=' + maintenance})[8081]
        self.assertEqual(self.curl(port, "-f"), "ok\n")
        self.assertRegex(self.curl(port, "-I"), "^HTTP/1.0 200 ")
        open(maintenance, "w").close()
        self.assertRegex(self.curl(port, "-i"), "^HTTP/1.0 503 (?s:.*)in maintenance")
        fdsup.wait_status("health", lambda s: s["served"] == 3, "three served")

    # -- workers

    def worker(self, name, program, replaced=()):
        fdsup = self.prepare(name)
        base = os.path.basename(program)
        ports = self.start(fdsup, {"/usr/local/libexec/" + base: program, **dict(replaced)})
        return fdsup, list(ports.values())

    def http_worker(self, name, program, service):
        """Answers curl before and after its worker was killed; returns fdsup and the port."""
        fdsup, (port,) = self.worker(name, program)
        fdsup.wait_state(service, "UP")
        answer = self.curl(port, "-f")
        self.assertRegex(answer, r"^hello, 127\.0\.0\.1(:\d+)?\nworker \d+, 1 conn")
        # While the first was still starting a second one may have been started, and have been faster.
        pid = int(re.search(r"worker (\d+)", answer)[1])
        self.assertIn(pid, fdsup.worker_pids(service))
        # What it has not reported as ended would be counted as lost with it.
        fdsup.wait_status(service, lambda s: s["connections"]["used"] == 0, "curl has gone")
        os.kill(pid, signal.SIGKILL)
        self.assertNotIn("worker %d," % pid, self.curl(port, "-f"))
        fdsup.wait_status(service, lambda s: s["deaths"] == 1 and s["state"] == "UP", "its successor")
        self.assertEqual(fdsup.status(service)["lost"], 0)
        return fdsup, port

    def test_worker_http(self):
        fdsup, port = self.http_worker("worker-http.conf", os.path.join(BUILT, "worker-http"), "http")
        held = [self.connect(port) for _ in range(100)]
        fdsup.wait_status("http", lambda s: s["connections"]["used"] == 100, "100 held")
        for s in held:
            s.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        for s in held:
            self.assertTrue(s.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n"))
            s.close()
        fdsup.wait_status("http", lambda s: s["connections"]["used"] == 0, "all gone")

    def test_worker_http_py(self):
        self.http_worker("worker-http-py.conf", os.path.join(EXAMPLES, "worker-http.py"), "http-py")

    def test_worker_prefork(self):
        fdsup, (port,) = self.worker("worker-prefork.conf", os.path.join(BUILT, "worker-prefork"))
        held = [self.connect(port) for _ in range(8)]
        for s in held:
            s.sendall(b"vienna\n")
        for s in held:
            self.assertEqual(s.recv(100), b"VIENNA\n")
        ninth = self.connect(port)
        ninth.sendall(b"rome\n")
        held[3].close()
        self.assertEqual(ninth.recv(100), b"ROME\n")
        self.assertEqual(fdsup.status("capitals")["connections"]["used"], 8)

    @needs_root
    def test_broker(self):
        fdsup = self.prepare("broker/broker.conf")
        private = self.folder_of(fdsup, "private", "daemon", 0o700)
        with open(os.path.join(private, "report.txt"), "w") as f:
            f.write(PUBLIC)
        os.chmod(f.name, 0o600)
        shutil.chown(f.name, "daemon")
        path = os.path.join(fdsup.runtime_dir, "open.sock")
        self.start(fdsup, {"/run/fdsup/open.sock": path, '"readers"': '"users"', '"archive"': '"daemon"',
                           "/usr/local/libexec/openfile": os.path.join(BUILT, "openfile"),
                           "/srv/private": private})
        reader = ["setpriv", "--reuid=65534", "--regid=users", "--clear-groups"]
        mycat = os.path.join(BUILT, "mycat")
        self.assertNotEqual(self.run_client("cat", f.name, prefix=reader)[0], 0)
        self.assertEqual(self.run_client(mycat, path, "report.txt", prefix=reader), (0, PUBLIC, ""))
        code, output, error = self.run_client(mycat, path, "../fdsup.conf", prefix=reader)
        self.assertEqual((code, output), (1, ""))
        self.assertIn("Permission denied", error)
        # Who is not of the group does not even reach it.
        code, output, error = self.run_client(mycat, path, "report.txt", prefix=as_nobody())
        self.assertEqual((code, output), (1, ""))
        self.assertIn("Permission denied", error)

    # -- a server that accepts by itself

    def test_gunicorn(self):
        self.need("gunicorn")
        fdsup = self.prepare("gunicorn.conf")
        srv = self.folder_of(fdsup, "app")
        shutil.copy(os.path.join(EXAMPLES, "gunicorn_app.py"), srv)
        port = self.start(fdsup, {"/srv/app": srv})[8000]
        fdsup.wait_state("app", "UP")
        self.assertRegex(self.curl(port, "-f"), r"^hello, 127\.0\.0\.1\n")
        # The socket outlives it, and so do its children for a while: whoever accepts, serves.
        pid = fdsup.worker_pids("app")[0]
        os.kill(pid, signal.SIGKILL)
        self.assertRegex(self.curl(port, "-f"), r"^hello, 127\.0\.0\.1\n")
        fdsup.wait_status("app", lambda s: s["deaths"] == 1 and s["state"] == "UP", "its successor")
        self.assertNotEqual(fdsup.worker_pids("app"), [pid])

    # -- redirect, builtin

    def unix_http(self, path):
        server = socketserver.ThreadingUnixStreamServer(path, UnixHttp)
        os.chmod(path, 0o666)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def end():
            server.shutdown()
            server.server_close()
        self.addCleanup(end)

    def redirect(self, target):
        fdsup = self.prepare("redirect.conf")
        path = os.path.join(fdsup.directory, "http.sock")
        self.unix_http(path)
        ports = self.start(fdsup, {"mail.internal:25": "127.0.0.1:%d" % target, "/run/web/http.sock": path})
        return fdsup, ports

    def test_redirect_mail(self):
        program, target = self.need("aiosmtpd"), free_port()
        fdsup, ports = self.redirect(target)
        box = os.path.join(fdsup.directory, "box")
        self.beside(program, "-n", "-l", "127.0.0.1:%d" % target, "-c", "aiosmtpd.handlers.Mailbox", box)
        self.wait_answering(target)
        with smtplib.SMTP("127.0.0.1", ports[25], timeout=LONG) as smtp:
            for n in range(3):
                smtp.sendmail("a@localhost", ["b@localhost"], "Subject: %d\r\n\r\n%s" % (n, PUBLIC * 5000))
        new = os.path.join(box, "new")
        self.assertEqual(len(os.listdir(new)), 3)
        for name in os.listdir(new):
            with open(os.path.join(new, name)) as f:
                self.assertEqual(f.read().count(PUBLIC), 5000)
        fdsup.wait_log("smtp: END .* status=0")

    def test_redirect_unix(self):
        _, ports = self.redirect(free_port())
        self.assertEqual(self.curl(ports[80], "-f"), "hello over unix\n")

    def test_builtin(self):
        fdsup = self.prepare("builtin.conf")
        ports = self.start(fdsup)
        self.assertEqual(self.talk(ports[7], b"hello"), b"hello")
        self.assertEqual(self.talk(ports[9], b"hello"), b"")
        self.assertRegex(self.talk(ports[13]), rb"\d\d:\d\d:\d\d")
        self.assertEqual(len(self.talk(ports[37])), 4)
        with self.connect(ports[19]) as s:
            self.assertEqual(s.recv(5), b' !"#$')


if __name__ == "__main__":
    main()

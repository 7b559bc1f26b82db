"""fdsupctl metrics, read by the parser of Prometheus's own client, also through fdsup itself."""
import json
import os
import subprocess
import sys
import unittest
import urllib.request

from support import BIN, Test, free_port, main, needs_root

PARSER = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(json.dumps([[s.name, sorted(s.labels.items()), s.value]
                  for family in text_string_to_metric_families(sys.stdin.read()) for s in family.samples]))
"""


def find_python():
    """An interpreter that has the parser: Debian's has it, whichever runs this test."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import prometheus_client.openmetrics.parser"],
                          stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


PYTHON = find_python()
EXAMPLES = os.path.join(os.environ["FDSUP_SOURCE"], "examples")


def samples(text):
    """{(name, labels): value}; the parser refuses what is not OpenMetrics."""
    done = subprocess.run([PYTHON, "-c", PARSER], input=text.encode(), capture_output=True)
    if done.returncode:
        raise AssertionError("no OpenMetrics: %s\n%s" % (done.stderr.decode(), text))
    return {(name, tuple(map(tuple, labels))): value for name, labels, value in json.loads(done.stdout)}


@unittest.skipUnless(PYTHON, "python3-prometheus-client is not installed")
class Metrics(Test):
    def test_the_text_is_openmetrics_and_the_numbers_are_those_of_status(self):
        port = free_port()
        fdsup = self.fdsup('a = { address = "127.0.0.1"; port = %d; command = "/bin/cat"; max_connections = 7; };'
                           'bad = { command = "/bin/false"; };' % port)
        for _ in range(3):
            self.assertEqual(self.talk(port, b"x"), b"x")
        fdsup.wait_status("a", lambda s: s["served"] == 3, "three served")
        fdsup.wait_state("bad", "BACKOFF")
        code, text, error = fdsup.ctl("metrics")
        self.assertEqual((code, error), (0, ""))
        self.assertTrue(text.endswith("# EOF\n"))
        values = samples(text)
        a = (("service", "a"),)
        for name, value in (("accepted_total", 3), ("served_total", 3), ("lost_total", 0), ("refused_total", 0),
                            ("connections", 0), ("connections_limit", 7), ("healthy", 1), ("wanted", 1)):
            self.assertEqual(values["fdsup_service_" + name, a], value, name)
        bad = (("service", "bad"),)
        self.assertEqual(values["fdsup_service_healthy", bad], 0)
        self.assertGreaterEqual(values["fdsup_service_deaths_total", bad], 1)
        self.assertNotIn(("fdsup_service_connections_limit", bad), values)
        states = {labels: value for (name, labels), value in values.items() if name == "fdsup_service_state"}
        self.assertEqual(sum(states.values()), 2)
        self.assertEqual(len(states), 20)
        self.assertEqual(values["fdsup_reload_failed", ()], 0)
        self.assertGreater(values["fdsup_uptime_seconds", ()], 0)
        self.assertEqual(values["fdsup_acceptor_up", (("acceptor", "1"),)], 1)
        self.assertIn(("fdsup_build_info", (("version", fdsup.status()["daemon"]["version"]),)), values)
        only = samples(fdsup.ctl("metrics", "a")[1])
        self.assertNotIn(("fdsup_service_healthy", bad), only)

    def test_without_fdsup_there_is_nothing_to_scrape(self):
        code, output, error = self.unstarted().ctl("metrics")
        self.assertEqual((code, output), (3, ""))
        self.assertIn("not running", error)

    @needs_root
    def test_the_example_serves_it_through_fdsup(self):
        fdsup = self.unstarted("", 'include = "fdsup.d"; admin = { status = [ "nobody" ]; };')
        os.mkdir(os.path.join(fdsup.directory, "fdsup.d"))
        with open(os.path.join(EXAMPLES, "metrics.sh")) as f:
            script = fdsup.script("fdsup-metrics", f.read().split("\n", 1)[1].replace(
                "$(fdsupctl ", "$(%s/fdsupctl " % BIN))
        port = free_port()
        with open(os.path.join(EXAMPLES, "metrics.conf")) as f:
            text = f.read()
        for old, new in (("port = 9119", 'address = "127.0.0.1"; port = %d' % port),
                         ("/usr/local/libexec/fdsup-metrics", script),
                         ("# environment", "environment"), ("/run/fdsup/admin.sock", fdsup.socket_path)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(os.path.join(fdsup.directory, "fdsup.d", "metrics.conf"), "w") as f:
            f.write(text)
        fdsup.start()
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=60) as answer:
            self.assertIn("openmetrics-text", answer.headers["Content-Type"])
            values = samples(answer.read().decode())
        self.assertEqual(values["fdsup_service_connections", (("service", "metrics"),)], 1)


if __name__ == "__main__":
    main()

"""Checks the monitoring against a live network: every metric that the dashboard and the rules name is one that the services
expose, and a real Prometheus with our configuration scrapes them and evaluates every expression.

    check.py PROGRAM PROMETHEUS PROMTOOL PORT

PROGRAM is the built `devnet`; PORT is the first of six spare ports. With `-` for PROMETHEUS and PROMTOOL only the names are checked.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
NAMES = ["tracker", "alice", "bob", "carol"]
METRIC = re.compile(r"\b(?:raclette|process)_[a-z0-9_]+\b")


def say(text):
    print(f"monitoring test: {text}", flush=True)


def fetch(url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read().decode()


def eventually(seconds, what, holds):
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = holds()
            if found:
                say(what)
                return found
        except (OSError, urllib.error.URLError, KeyError, IndexError):
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"monitoring test: not within {seconds} s: {what}")
        time.sleep(0.2)


def expressions():
    """Every expression of the dashboard and of the rules, with where it stands."""
    dashboard = json.loads((HERE / "grafana/dashboards/raclette.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r}", target["expr"]
    for line in (HERE / "rules.yml").read_text().splitlines():
        if match := re.match(r"\s+expr: (.*)", line):
            yield "rules.yml", match[1]


class Network:
    """A network with traffic, in which carol is stopped so that something waits for her."""

    def __init__(self, program, port, directory):
        self.port, self.directory = port, directory
        arguments = ["--base-port", port, "--key-bits", "2048", "--data", f"{directory}/data"]
        arguments += ["--tx-rate", "5", "--mine-on-send"]
        self.log = open(f"{directory}/devnet.txt", "w+")
        self.process = subprocess.Popen(
            [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log, text=True
        )
        eventually(120, "the network runs", lambda: "The network is running" in self.said())

    def said(self):
        if self.process.poll() is not None:
            raise SystemExit(f"monitoring test: the network has ended:\n{self.read()}")
        return self.read()

    def read(self):
        return pathlib.Path(self.log.name).read_text()

    def types(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def owner(self, name, path, body):
        token = pathlib.Path(f"{self.directory}/data/{name}/token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return fetch(f"http://127.0.0.1:{self.at(name)}{path}", json.dumps(body).encode(), headers)

    def at(self, name):
        return self.port + NAMES.index(name)

    def exposed(self):
        """The names of all samples of the services that run."""
        lines = "".join(fetch(f"http://127.0.0.1:{self.at(name)}/metrics") for name in NAMES[:3]).splitlines()
        return {re.match(r"[a-z0-9_]+", line)[0] for line in lines if not line.startswith("#")}

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def check_names(network):
    network.types("stop carol")
    eventually(20, "carol is stopped", lambda: "carol has stopped" in network.said())
    # She is thought to be online for some time yet; what cannot be delivered waits for her.
    network.owner("alice", "/send", {"to": "carol", "message": "wait for me"})
    eventually(
        30, "something waits for carol", lambda: "raclette_queue_destination_requests" in network.exposed()
    )
    exposed, named = network.exposed(), 0
    recorded = set(re.findall(r"record: (\S+)", (HERE / "rules.yml").read_text()))
    for where, expression in expressions():
        for name in METRIC.findall(re.sub(r"raclette:[a-z0-9_:]+", "", expression)):
            assert name in exposed, f"monitoring test: {where} names {name}, which no service exposes"
            named += 1
    assert named > 40 and len(recorded) == 2, (named, recorded)
    say(f"all {named} metrics that are named are exposed")


def local(configuration, port):
    """Our configuration with the ports of the network here, and in a hurry."""
    for name in NAMES:
        usual = 7700 + NAMES.index(name)
        configuration = configuration.replace(f'"{name}:{usual}"', f'"127.0.0.1:{port + NAMES.index(name)}"')
    assert "7700" not in configuration.split("raclette-more")[0]
    # Here all have one host, and only their ports tell them apart.
    pattern = 'regex: "([^:]+):\\\\d+"'
    assert pattern in configuration
    return configuration.replace(pattern, 'regex: "(.+)"').replace("15s", "1s")


def check_prometheus(network, prometheus, promtool):
    subprocess.run([promtool, "check", "config", str(HERE / "prometheus.yml")], check=True)
    directory = pathlib.Path(network.directory)
    (directory / "prometheus.yml").write_text(local((HERE / "prometheus.yml").read_text(), network.port))
    (directory / "rules.yml").write_text((HERE / "rules.yml").read_text())
    at = f"127.0.0.1:{network.port + 5}"
    arguments = ["--config.file", directory / "prometheus.yml", "--storage.tsdb.path", directory / "tsdb"]
    arguments += ["--web.listen-address", at, "--log.level", "warn"]
    process = subprocess.Popen([prometheus, *map(str, arguments)])

    def query(expression):
        text = fetch(f"http://{at}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(text)
        assert answer["status"] == "success", f"{expression}: {text}"
        return answer["data"]["result"]

    try:
        up = lambda: [sample["value"][1] for sample in query('up{job="raclette"}')]
        eventually(30, "Prometheus scrapes tracker, alice and bob, and misses carol", lambda: sorted(up()) == ["0", "1", "1", "1"])
        eventually(60, "it sees blocks", lambda: int(query("max(raclette_chain_height)")[0]["value"][1]) > 2)
        eventually(30, "it sees what waits for carol", lambda: query('raclette_queue_destination_requests{destination="carol"} > 0'))
        eventually(30, "it sees rates", lambda: query("raclette:http_requests:rate1m"))
        # A rate needs two samples of each service, and each is scraped at a moment of its own. Nothing has to be offered again in
        # a network that does so little.
        silent = lambda: {where for where, expression in expressions() if where != "rules.yml" and not query(expression)}
        try:
            eventually(30, "every panel shows something", lambda: silent() <= {"panel 'Pending transactions'"})
        except SystemExit:
            say(f"these panels are empty: {sorted(silent())}")
            raise
        for where, expression in expressions():
            query(expression)
        firing = lambda: {alert["metric"]["alertname"] for alert in query("ALERTS")}
        eventually(30, "it notices that carol is down", lambda: "RacletteServiceDown" in firing())
        say("every expression can be evaluated")
    finally:
        process.terminate()
        process.wait(20)


def main(program, prometheus, promtool, port):
    with tempfile.TemporaryDirectory() as directory:
        network = Network(program, int(port), directory)
        try:
            check_names(network)
            if prometheus != "-":
                check_prometheus(network, prometheus, promtool)
        except BaseException:
            sys.stderr.write(network.read()[-4000:])
            raise
        finally:
            network.stop()
    say("passed")


if __name__ == "__main__":
    main(*sys.argv[1:])

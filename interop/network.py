"""A running local network, as a program outside of it sees it: the URLs of its services, their tokens, and HTTP."""

import json
import sys
import time
import urllib.error
import urllib.request

NAMES = ("alice", "bob", "carol")
DEADLINE_SECONDS = 60
# No proxy from the environment stands between this program and the loopback interface.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Network:
    def __init__(self, base_port, data_dir):
        self.urls = {name: f"http://127.0.0.1:{base_port + 1 + index}" for index, name in enumerate(NAMES)}
        self.tracker = f"http://127.0.0.1:{base_port}"
        self.data_dir = data_dir

    def key(self, name):
        return (self.data_dir / name / "key.pem").read_text(encoding="ascii")

    def token(self, name):
        return (self.data_dir / name / "token").read_text(encoding="ascii").strip()

    def owner(self, name, path, body=None, prefer=None):
        """Asks a peer as its owner."""
        headers = {"Authorization": f"Bearer {self.token(name)}"}
        if prefer:
            headers["Prefer"] = prefer
        return call(self.urls[name] + path, body, headers)

    def public(self, name, path):
        """Asks a peer as anybody may."""
        return call(self.urls[name] + path)


def call(url, body=None, headers=None):
    """Status and JSON of an answer; a problem document is an answer, too."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with OPENER.open(request, timeout=DEADLINE_SECONDS) as answer:
            return answer.status, read(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, read(refusal)


def read(answer):
    text = answer.read().decode("utf-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def eventually(what, attempt):
    """Repeats an attempt until it gives something, up to a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen = "nothing yet"
    while time.monotonic() < deadline:
        try:
            status, answer = attempt()
            if status == 200 and answer:
                return answer
            seen = f"{status} {answer}"
        except OSError as error:
            seen = str(error)
        time.sleep(0.1)
    sys.exit(f"{what}: not within {DEADLINE_SECONDS} s; last seen: {seen}")

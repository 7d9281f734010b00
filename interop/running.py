"""Starts a local network for tests, on spare ports and with data of its own, and ends it again.

    with running.network() as network:
        network.owner("alice", "/send", {"to": "bob", "message": "hello"})

The program is target/release/devnet, or what the variable RACLETTE_DEVNET names.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import tempfile
import time

from network import NAMES, Network

TOP = pathlib.Path(__file__).resolve().parent.parent
READY = "The network is running"
START_SECONDS = 180
STOP_SECONDS = 30
# Below the ports that the system gives to outgoing connections, so that none of these takes one of ours.
SPARE_PORTS = range(21000, 31000, 10)


def program():
    """The program that runs a whole network."""
    return pathlib.Path(os.environ.get("RACLETTE_DEVNET", TOP / "target" / "release" / "devnet"))


def spare_base_port():
    """A port that is free together with those behind it, different for tests that run side by side."""
    start = os.getpid() % len(SPARE_PORTS)
    for base in [*SPARE_PORTS[start:], *SPARE_PORTS[:start]]:
        if all(is_free(base + offset) for offset in range(len(NAMES) + 1)):
            return base
    raise RuntimeError("no spare ports")


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def network(*arguments, settings=None):
    """A tracker, alice, bob and carol; they are gone when the block ends. Further arguments go to devnet, and settings of
    services, such as RACLETTE_FIRST_TARGET_BITS, into its environment."""
    with tempfile.TemporaryDirectory(prefix="raclette-") as directory:
        data, base_port = pathlib.Path(directory) / "network", spare_base_port()
        log = pathlib.Path(directory) / "devnet.log"
        command = [program(), "--base-port", str(base_port), "--data", data, "--key-bits", "2048", *arguments]
        # Settings of services in this environment are not meant for these.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RACLETTE_")}
        environment.update(settings or {})
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            wait_until_ready(process, log)
            running = Network(base_port, data)
            running.process, running.log = process, log
            yield running
        finally:
            stop(process)


def wait_until_ready(process, log):
    deadline = time.monotonic() + START_SECONDS
    while READY not in (text := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the network did not come up:\n{text}")
        time.sleep(0.1)


def stop(process):
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""A client that a stock generator makes from the peer's document sends a payment, and sees it confirmed."""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest
from network import eventually

TOP = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The package that `openapi-python-client` makes of the committed document."""
    place = tmp_path_factory.mktemp("generated") / "raclette_client"
    program = pathlib.Path(sys.executable).with_name("openapi-python-client")
    command = [program, "generate", "--meta", "none", "--path", TOP / "openapi" / "peer.json", "--output-path", place]
    # It has its formatter from the same environment.
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    made = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    # Whatever the generator does not understand it leaves out, with a warning.
    assert "WARNING" not in made.stdout and "unable" not in made.stdout.lower(), made.stdout
    sys.path.insert(0, str(place.parent))
    yield lambda name: importlib.import_module(f"raclette_client.{name}")
    sys.path.remove(str(place.parent))


def test_a_generated_client_sends_a_payment(network, generated):
    models = generated("models")
    client = generated("client").AuthenticatedClient(network.urls["alice"], network.token("alice"))
    order = models.SendRequest(to="bob", amount=1, message="Sent by a client that nobody wrote.")
    sent = generated("api.owner.send").sync_detailed(client=client, body=order, prefer="wait=30")
    assert sent.status_code == 201 and isinstance(sent.parsed, models.SendResponse), sent
    assert sent.parsed.status == models.SendStatus.DELIVERED and sent.parsed.transaction.amount == 1

    job = generated("api.owner.start_mining").sync(client=client, body=models.MineRequest(), prefer="wait=30")
    assert isinstance(job, models.MiningJob) and job.outcome == models.MiningOutcome.MINED, job

    anybody = generated("client").Client(network.urls["bob"])

    def confirmed():
        found = generated("api.network.get_transaction").sync(sent.parsed.transaction.id, client=anybody)
        return 200, isinstance(found, models.TransactionStatus) and found.status == models.TransactionState.CONFIRMED

    eventually("bob's peer has the block, too", confirmed)


def test_a_generated_client_reads_problems(network, generated):
    models = generated("models")
    client = generated("client").AuthenticatedClient(network.urls["alice"], network.token("alice"))
    order = models.SendRequest(to="nobody-of-this-name", amount=1)
    refused = generated("api.owner.send").sync(client=client, body=order)
    assert isinstance(refused, models.Problem) and refused.code == models.ProblemCode.UNKNOWN_PEER, refused

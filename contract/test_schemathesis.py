"""Both running services answer whatever their documents allow, and refuse the rest, as the documents say.

All checks of schemathesis are on. What a schema cannot say, and where a check is wrong by its nature, is in `hooks`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "50"))
SEED = os.environ.get("CONTRACT_SEED", "20261126")
# What is asked for without a token is refused before it is read: a few requests are as good as many.
FEW = 10


def schemathesis(network, service, *arguments, token=None, **variables):
    """Runs `schemathesis run` against a service with all checks on; its output, if it found nothing."""
    url = network.tracker if service == "tracker" else network.urls[service]
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [
        *(program, "run", f"{url}/openapi.json", "--checks", "all", "--seed", SEED, "--no-color"),
        # Longer than anything is waited for.
        *("--continue-on-failure", "--request-timeout", "60", "--generation-database", "none", *arguments),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "hooks",
        "CONTRACT_SERVICE": service,
        "CONTRACT_BASE_PORT": network.tracker.rsplit(":", 1)[1],
        "CONTRACT_DATA": str(network.data_dir),
        **variables,
    }
    # It keeps a cache where it runs, and each run is to stand for itself.
    with tempfile.TemporaryDirectory() as place:
        if token:
            # Not as a header for all: where the document asks for the token, and where it is left out on purpose.
            settings = f"[auth.openapi.owner_token]\nbearer = \"{token}\"\n"
            pathlib.Path(place, "schemathesis.toml").write_text(settings, encoding="ascii")
        run = subprocess.run(
            command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    print(run.stdout)
    assert run.returncode == 0, f"schemathesis found failures at {service}; see above"
    return run.stdout


@pytest.mark.parametrize("service", ["tracker", "alice"])
def test_a_service_does_what_its_document_says(network, service):
    schemathesis(network, service, "--max-examples", str(EXAMPLES), token=network.token(service))


@pytest.mark.parametrize("service", ["tracker", "alice"])
def test_without_a_token_nothing_of_the_owners_is_done(network, service):
    few = ("--include-tag", "owner", "--phases", "fuzzing", "--max-examples", str(FEW))
    schemathesis(network, service, *few, CONTRACT_ANONYMOUS="1")

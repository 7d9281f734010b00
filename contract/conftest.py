"""One network for all contract tests, with something in it to ask for.

    target/contract/bin/python -m pytest contract

RACLETTE_DEVNET names another program than target/release/devnet; CONTRACT_EXAMPLES says how many requests schemathesis makes
up for each operation in its fuzzing phase (usually 50), CONTRACT_SEED from which seed.
"""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "interop")]

import running
import stage


@pytest.fixture(scope="session")
def network():
    # Rounds are quick, so that who is gone is soon known to be.
    with running.network("--peers", "5", "--liveness-interval", "1s") as network:
        stage.prepare(network)
        yield network

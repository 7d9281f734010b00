"""Runs the shell commands that openapi/PROTOCOL.md prints, exactly as they stand there."""

import os
import pathlib
import subprocess

PROTOCOL = pathlib.Path(__file__).resolve().parent.parent / "openapi" / "PROTOCOL.md"


def block(name):
    """The fenced block behind the comment `<!-- run: name -->`."""
    text = PROTOCOL.read_text(encoding="utf-8")
    _, found, rest = text.partition(f"<!-- run: {name} -->\n```sh\n")
    if not found:
        raise SystemExit(f"{PROTOCOL.name} has no block named {name}")
    return rest.partition("\n```")[0]


def run(name, directory, **variables):
    """Runs a block in a directory with these shell variables; what it prints, or none if one of its commands failed."""
    script = "set -eu\n" + block(name)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, **variables, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        print(f"{name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return None
    return done.stdout

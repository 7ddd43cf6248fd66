"""Starts `ocird-sim serve` for a script, with its variables in the environment, and counts the calls that went well."""

import contextlib
import json
import os
import shlex
import subprocess
import sys

BINARY = os.environ["OCIRD_SIM"]
PATIENCE_S = 30


@contextlib.contextmanager
def served(*options):
    """A tenancy that is served while the block runs; it must end well when it is terminated."""
    server = subprocess.Popen([BINARY, "serve", *options], stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if line.startswith("# Serving"):
                break
            if line.startswith("export "):
                _, assignment = shlex.split(line, comments=True)
                name, value = assignment.split("=", 1)
                os.environ[name] = value
        else:
            sys.exit(f"ocird-sim ended with {server.wait()} before it served")
        yield
    finally:
        server.terminate()
        code = server.wait(PATIENCE_S)
    assert code == 0, f"ocird-sim ended with {code}"


def recorded(path):
    """Every request of a record, as it came over the wire."""
    with open(path, encoding="utf-8") as record:
        return [json.loads(line) for line in record]


class Calls:
    """Says each call that went well on a line of its own, and at the end how many there were."""

    def __init__(self, client):
        self.client = client
        self.n_passed = 0

    def passed(self, call):
        self.n_passed += 1
        print(f"ok  {self.client}: {call}", flush=True)

    def end(self, n_expected):
        assert self.n_passed == n_expected, f"{self.client}: {self.n_passed} calls, not {n_expected}"
        print(f"{self.client}: {self.n_passed} calls", flush=True)

"""As a process: one ready line, a clean stop, and its state when it comes back."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe

from sandbox.stripe import Admin
from tests.paths import ROOT
from tests.sandbox.stripe.conftest import a_session


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The sandbox as `make run` starts it, and its address."""
    command = [sys.executable, "-m", "sandbox.stripe", "--port", "0", *arguments]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        assert line.startswith("Stripe sandbox ready on http://127.0.0.1:"), started.stderr and started.stderr.read()
        yield started, line.split()[-1]
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_cleanly_and_remembers(tmp_path: Path, stop: signal.Signals) -> None:
    state = str(tmp_path / "stripe.sqlite3")
    with process("--state", state) as (running, address):
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": address})
        session = client.v1.checkout.sessions.create(a_session())
        assert session.url == f"{address}/c/pay/{session.id}"
        assert Admin.at(address).pay(session.id)["result"] == "paid"
        running.send_signal(stop)
        out, error = running.communicate(timeout=15)
        assert (running.returncode, out, error) == (0, "", "")
    with process("--state", state) as (_, address):
        assert Admin.at(address).books()["totals"]["net"] == 10_000


def test_a_killed_process_keeps_what_it_answered(tmp_path: Path) -> None:
    state = str(tmp_path / "stripe.sqlite3")
    with process("--state", state) as (running, address):
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": address})
        customer = client.v1.customers.create({"email": "alice@example.com"})
        running.kill()
    with process("--state", state) as (_, address):
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": address})
        assert client.v1.customers.retrieve(customer.id).email == "alice@example.com"


@pytest.mark.parametrize(
    "arguments", [["--host", "0.0.0.0"], ["--webhook-url", "https://example.com/hook"], ["--state", "/proc/no/such"]]
)
def test_it_says_why_it_does_not_start(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "sandbox.stripe", "--port", "0", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The Stripe sandbox did not start: ")
    assert "Traceback" not in ended.stderr

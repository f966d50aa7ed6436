"""A database of its own with organizations, keys and a gateway, and a real server in front of it."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from billing import flows
from billing.catalog.models import AIModel, Price
from billing.metering import gateways, partitions
from orgs.models import ApiKey, Kind, Organization

ROOT = Path(__file__).resolve().parents[2]
MODEL = "gpt-oss-120b"


@dataclass(frozen=True)
class Customer:
    """An organization with its keys' public ids and their SHA-256."""

    org_id: int
    keys: tuple[str, ...]
    key_ids: tuple[int, ...]
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class World:
    model: AIModel
    price: Price
    one: Customer
    hundred: tuple[Customer, ...]
    gateway_id: int
    token: str


def build(now: datetime) -> World:
    """One organization, a hundred with four keys each, all with credit; a gateway."""
    partitions.make(now)
    model = AIModel.objects.get(slug=MODEL)
    gateway = gateways.register("bench", now=now)
    return World(
        model=model,
        price=Price.objects.get(model=model),
        one=customer("one", 1, now),
        hundred=tuple(customer(f"org-{n}", 4, now) for n in range(100)),
        gateway_id=gateway.pk,
        token=gateways.mint(gateway, now=now),
    )


@transaction.atomic
def customer(slug: str, keys: int, now: datetime, credit: Decimal = Decimal("1000000")) -> Customer:
    organization = Organization.objects.create(kind=Kind.TEAM, slug=slug, name=slug)
    made = [
        ApiKey.objects.create(
            organization=organization, public_id=f"key_{secrets.token_hex(8)}", hash=secrets.token_bytes(32),
            prefix="sk-purser-xx", last4="xxxx", name=f"key {n}", created_at=now,
        )
        for n in range(keys)
    ]  # fmt: skip
    flows.grant_promotional(
        organization.pk, credit, key=f"bench:{slug}", title="Bench", expires_at=now + timedelta(days=365), reason="bench",
        issued_by=None, now=now,
    )  # fmt: skip
    return Customer(
        organization.pk,
        tuple(key.public_id for key in made),
        tuple(key.pk for key in made),
        tuple(bytes(key.hash) for key in made),
    )


def uuid7(at: datetime) -> UUID:
    """An id that carries its time, as gateways are told to mint them."""
    milliseconds = int(at.timestamp() * 1000)
    bits = secrets.randbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & ((1 << 62) - 1))


def events(customers: Sequence[Customer], count: int, now: datetime) -> list[dict[str, object]]:
    """`count` events of the last five seconds, as a gateway reports them, spread over the customers and their keys."""
    made = []
    for n in range(count):
        customer = customers[n % len(customers)]
        at = now - timedelta(milliseconds=secrets.randbelow(5_000))
        made.append(
            {
                "id": str(uuid7(at)),
                "key": customer.keys[n // len(customers) % len(customer.keys)],
                "model": MODEL,
                "input_tokens": 100 + secrets.randbelow(4000),
                "cached_input_tokens": 0,
                "output_tokens": 1 + secrets.randbelow(400),
                "occurred_at": at.isoformat(),
            }
        )
    return made


def empty_usage() -> None:
    """As it was before anything was reported, so that one measure's rows do not slow the next."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE usage_event, usage_delta, usage_seen, usage_hour, usage_minute, key_spend, usage_refused"
        )
        cursor.execute("SET session_replication_role = origin")


@dataclass
class Server:
    """A connection to the portal that is kept open."""

    port: int
    token: str

    def __post_init__(self) -> None:
        self.reconnect()

    def reconnect(self) -> None:
        """The server closes a connection that was quiet for long."""
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def post(self, path: str, body: bytes) -> dict[str, object]:
        return self._ask("POST", path, body)

    def get(self, path: str) -> dict[str, object]:
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        found: dict[str, object] = json.loads(text)
        return found


@contextmanager
def serving(token: str) -> Iterator[Server]:
    """The portal as it is run (granian), one worker, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--blocking-threads", "4", "--no-access-log", "portal.wsgi:application",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"LOG_LEVEL": "ERROR"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        yield Server(port, token)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not come up")


def body(batch: list[dict[str, object]]) -> bytes:
    return json.dumps({"events": batch}).encode()

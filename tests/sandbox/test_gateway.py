"""The gateway that replays a trace, against the portal served over real HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from pytest_django.live_server_helper import LiveServer

from billing import flows
from billing.ledger import balances
from billing.limits import reading
from billing.metering import gateways, ingest, partitions, rollups
from billing.metering.models import Gateway, RefusedUsage, UsageEvent
from orgs import keys
from orgs.models import ApiKey, Organization
from sandbox import traces
from sandbox.gateway import ANSWER_KEPT, Door, serve_forever
from sandbox.gateway import Gateway as Gateway_
from tests import figures as counted
from tests.factories import catalog, usage
from tests.paths import shared_data

pytestmark = pytest.mark.usefixtures("books_are_right")
CODE_TRACE = "azure_llm_trace_2023_code.csv"


@pytest.fixture
def portal(transactional_db: None, live_server: LiveServer) -> str:
    partitions.make(datetime.now(UTC))
    catalog.first_catalog()
    return str(live_server.url)


@pytest.fixture
def acme_with_credit(acme: Organization) -> Organization:
    usage.bought(acme, "100", now=datetime.now(UTC))
    return acme


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Five requests within two minutes: 5,000 input and 50 output tokens, 0.0017875 USD on gpt-oss-120b."""
    file = tmp_path / "trace.csv"
    lines = [f"2023-11-16 18:{17 + n // 3}:0{n}.1234567,1000,10" for n in range(5)]
    file.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines, ""]))
    return file


@contextmanager
def worker() -> Iterator[None]:
    """The sweep of a worker, in a thread with a connection of its own."""
    over = threading.Event()

    def sweep() -> None:
        while not over.wait(0.1):
            flows.sweep(now=datetime.now(UTC))
        connection.close()

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def replayed(file: Path, url: str, org: Organization, *options: str, model: str = "gpt-oss-120b") -> dict[str, Any]:
    out, err = StringIO(), StringIO()
    words = [str(file), "--org", org.slug, "--model", model, "--url", url, *options]
    try:
        with worker():
            call_command("replay_trace", *words, stdout=out, stderr=err)
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report | {"exit": code, "said": err.getvalue()}


FIGURES = ("events", "accepted", "duplicate", "refused", "input_tokens", "output_tokens", "cost_usd", "exit")


def figures(report: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(report[name] for name in FIGURES)


def test_a_replay_is_charged_exactly_and_once(portal: str, acme_with_credit: Organization, small: Path) -> None:
    first = replayed(small, portal, acme_with_credit)
    assert figures(first) == (5, 5, 0, 0, 5_000, 50, "0.0017875", 0)
    assert (first["balance_before_usd"], first["balance_after_usd"]) == ("100", "99.9982125")

    again = replayed(small, portal, acme_with_credit, "--batch", "2")
    assert figures(again) == (5, 0, 5, 0, 0, 0, "0", 0)
    assert again["balance_before_usd"] == again["balance_after_usd"] == "99.9982125"

    other = replayed(small, portal, acme_with_credit, "--run-id", "2")
    assert figures(other) == (5, 5, 0, 0, 5_000, 50, "0.0017875", 0)


def test_a_run_makes_its_key_retires_its_gateway_and_uses_up_its_ids(
    portal: str, acme_with_credit: Organization, small: Path
) -> None:
    replayed(small, portal, acme_with_credit)
    assert ApiKey.objects.get().name == "Replay"
    gateway = Gateway.objects.get()
    assert gateway.name.startswith("replay:")
    assert gateway.retired_at is not None
    assert gateway.complete_through == gateway.created_at
    assert not gateway.tokens.filter(revoked_at=None).exists()
    # The same file, run and organization, and yet another model: the same ids with another body are refused and kept.
    report = replayed(small, portal, acme_with_credit, model="zai-glm-4.7")
    assert figures(report) == (5, 0, 0, 5, 0, 0, "0", 1)
    assert RefusedUsage.objects.filter(reason="id_conflict").count() == 5


def test_the_last_request_occurs_when_it_is_told_to(portal: str, acme_with_credit: Organization, small: Path) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    assert replayed(small, portal, acme_with_credit, "--at", at.isoformat())["accepted"] == 5
    assert UsageEvent.objects.order_by("-ts")[0].occurred_at == at
    assert replayed(small, portal, acme_with_credit)["duplicate"] == 5
    with pytest.raises(CommandError, match="--run-id"):
        replayed(small, portal, acme_with_credit, "--at", (at + timedelta(hours=1)).isoformat())
    assert Gateway.objects.get().retired_at is not None, "a run that is refused holds nothing back"


def test_a_faster_than_real_replay_ends_when_its_last_request_occurs(
    portal: str, acme_with_credit: Organization, small: Path
) -> None:
    began = datetime.now(UTC)
    report = replayed(small, portal, acme_with_credit, "--speed", "60x")
    assert report["accepted"] == 5
    last = UsageEvent.objects.order_by("-ts")[0]
    assert last.occurred_at - began > timedelta(seconds=1)
    assert last.accepted_at >= last.occurred_at


def test_without_credit_nothing_is_served_and_the_remedy_is_said(portal: str, acme: Organization, small: Path) -> None:
    report = replayed(small, portal, acme)
    assert figures(report) == (5, 0, 0, 5, 0, 0, "0", 1)
    assert "HTTP 402 no_credit" in report["said"]
    assert not UsageEvent.objects.exists()


def test_a_revoked_key_is_not_served(portal: str, acme_with_credit: Organization, small: Path) -> None:
    key = keys.create(acme_with_credit, None, "old", None, None, datetime.now(UTC))
    keys.revoke(key.key, datetime.now(UTC))
    report = replayed(small, portal, acme_with_credit, "--key", key.secret)
    assert figures(report) == (5, 0, 0, 5, 0, 0, "0", 1)
    assert "HTTP 401 key_revoked" in report["said"]


def test_a_personal_organization_without_credit_is_free(portal: str, alice_personal: Organization, small: Path) -> None:
    assert figures(replayed(small, portal, alice_personal)) == (5, 5, 0, 0, 5_000, 50, "0", 0)


def test_a_gateway_waits_for_credit_and_goes_on_when_there_is_some(portal: str, acme: Organization) -> None:
    """What `--loop` does when credit runs out: says the remedy once, serves nothing, and starts again by itself."""
    now = datetime.now(UTC)
    key = keys.create(acme, None, "web", None, None, now).key
    token = gateways.mint(gateways.register("loop", now=now), now=now)
    said: list[str] = []
    door = Door(portal, token, said.append)
    gateway = Gateway_(door, [bytes(key.hash).hex()], said.append)
    rounds = iter(range(6))

    def due(after: datetime, until: datetime) -> list[traces.Served]:
        turn = next(rounds)
        if turn == 5:
            raise KeyboardInterrupt
        if turn == 3:
            usage.bought(acme, "5", now=until)
            # Both have kept their answer long enough.
            reading.forget()
            gateway.callers[0].asked_at -= ANSWER_KEPT
        return [traces.Served(traces.timed_id(until, turn), until, 0, "gpt-oss-120b", 100, 0, 10)]

    with pytest.raises(KeyboardInterrupt):
        serve_forever(gateway, due, every=0.01)
    door.close()
    assert (gateway.tally.accepted, gateway.tally.stopped, gateway.tally.refused) == (2, 3, 0)
    assert [words.split(":")[1].strip() for words in said] == ["HTTP 402 no_credit", "served again"]
    assert UsageEvent.objects.count() == 2


@pytest.mark.parametrize("from_file", [False, True], ids=["made up", "a trace"])
def test_for_ever_it_serves_what_is_due(
    portal: str, acme_with_credit: Organization, small: Path, from_file: bool
) -> None:
    def one_round(gateway: Gateway_, due: Any) -> None:
        now = datetime.now(UTC)
        gateway.report(due(now - timedelta(hours=1), now), now)
        assert (gateway.tally.refused, gateway.tally.stopped) == (0, 0)
        gateway.report(due(now, now + timedelta(seconds=90)), now)

    options = [str(small), "--model", "gpt-oss-120b"] if from_file else []
    with patch("billing.management.commands.replay_trace.serve_forever", one_round):
        call_command(
            "replay_trace", *options, "--loop", "--org", acme_with_credit.slug, "--url", portal, stderr=StringIO()
        )
    served = UsageEvent.objects.all()
    assert served.count() >= 5
    assert len({event.key_id for event in served}) == ApiKey.objects.count() == (1 if from_file else 3)
    assert {event.id.version for event in served} == {7}
    assert not RefusedUsage.objects.exists()
    assert Gateway.objects.get().retired_at is not None


def test_a_batch_whose_fate_is_unknown_is_sent_again_unchanged(
    portal: str, acme_with_credit: Organization, small: Path
) -> None:
    """The portal answers 503, then drops the connection after it has stored: in the end each event counts once."""
    real, tries = ingest.ingest, iter(range(9))

    def shaky(*args: Any, **kwargs: Any) -> Any:
        turn = next(tries)
        if turn == 0:
            raise OperationalError("starting up")
        receipt = real(*args, **kwargs)
        if turn == 1:
            raise OperationalError("gone after the commit")
        return receipt

    with patch.object(ingest, "ingest", shaky):
        report = replayed(small, portal, acme_with_credit)
    assert figures(report) == (5, 0, 5, 0, 5_000, 50, "0.0017875", 0)
    assert UsageEvent.objects.count() == 5


@pytest.mark.parametrize("kind", ["team", "personal"][: counted.of(1, full=2)])
def test_an_hour_of_traffic(
    portal: str, acme: Organization, alice_personal: Organization, kind: str, tmp_path: Path
) -> None:
    """8,819 requests, 18,059,974 tokens in and 245,896 out: 6.5054129 USD. The real hour where that file lies beside the
    checkout, else one made up with the same sums."""
    file = shared_data(CODE_TRACE) or made_up_hour(tmp_path / "hour.csv")
    org = acme if kind == "team" else alice_personal
    usage.bought(org, "100", now=datetime.now(UTC))
    first = replayed(file, portal, org)
    assert figures(first) == (8_819, 8_819, 0, 0, 18_059_974, 245_896, "6.5054129", 0)
    assert first["balance_after_usd"] == "93.4945871"
    assert figures(replayed(file, portal, org)) == (8_819, 0, 8_819, 0, 0, 0, "0", 0)
    assert balances.of(org.pk, now=datetime.now(UTC)).available == Decimal("93.4945871")
    assert rollups.compare([org.pk], since=datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)) == []


def made_up_hour(file: Path) -> Path:
    """As many requests and tokens as the real hour has, spread evenly."""
    start = datetime(2023, 11, 16, 18, tzinfo=UTC)
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for n in range(8_819):
        read_tokens, written = (total // 8_819 + (n < total % 8_819) for total in (18_059_974, 245_896))
        lines.append(f"{start + timedelta(milliseconds=400 * n):%Y-%m-%d %H:%M:%S.%f}0,{read_tokens},{written}")
    file.write_text("\n".join(lines))
    return file


class TestTraces:
    def test_seven_digits_of_a_second_are_cut_to_six(self, small: Path) -> None:
        trace = traces.read(small)
        assert [row.after for row in trace.rows[:2]] == [timedelta(0), timedelta(seconds=1)]
        assert trace.length == timedelta(seconds=64)
        assert trace.digest == hashlib.sha256(small.read_bytes()).hexdigest()

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "first line"),
            ("a,b\n1,2\n", "first line"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no requests"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", "row 1"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1.5,1\n", "row 1"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,-1\n", "row 1"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1\n", "row 1: 2 of 3 fields"),
            ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1,x\n", "row 1: 'x' is no number of tokens"),
        ],
    )
    def test_what_is_no_trace_is_said_with_its_place(self, tmp_path: Path, text: str, fault: str) -> None:
        file = tmp_path / "no.csv"
        file.write_text(text)
        with pytest.raises(traces.NotATrace, match=fault):
            traces.read(file)

    def test_made_up_traffic_is_the_same_however_it_is_cut(self) -> None:
        noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
        cuts = [noon + timedelta(seconds=s) for s in (0, 1, 13, 59, 60, 61, 240, 300)]
        parts = [one for a, b in pairwise(cuts) for one in traces.synthetic("demo", 3, ["a", "b"], a, b)]
        whole = traces.synthetic("demo", 3, ["a", "b"], cuts[0], cuts[-1])
        assert parts == whole
        assert len({one.id for one in whole}) == len(whole) > 20
        assert {one.caller for one in whole} == {0, 1, 2}
        assert {one.model for one in whole} == {"a", "b"}
        assert all(one.id.version == 7 and one.cached_input_tokens <= one.input_tokens for one in whole)

    def test_days_are_busier_than_nights(self) -> None:
        day, night = (datetime(2026, 3, 10, hour, tzinfo=UTC) for hour in (15, 3))
        busy, quiet = (traces.synthetic("demo", 1, ["a"], at, at + timedelta(minutes=30)) for at in (day, night))
        assert len(busy) > 3 * len(quiet) > 0

    def test_a_trace_goes_round(self, small: Path) -> None:
        trace = traces.read(small)
        start = datetime(2026, 3, 10, 12, tzinfo=UTC)
        served = traces.repeated(trace, start, "a", "demo", start, start + 3 * trace.length)
        assert len({one.id for one in served}) == len(served) == 15
        assert served == sorted(served, key=lambda one: one.at)


@pytest.mark.django_db
class TestTokens:
    def test_a_token_is_told_once_and_works(self) -> None:
        out = StringIO()
        call_command("gateway_token", "eu-1", "--days", "30", stdout=out, stderr=StringIO())
        digest = hashlib.sha256(out.getvalue().strip().encode()).digest()
        now = datetime.now(UTC)
        known = gateways.recognise(digest, now=now, tick=0.0)
        assert known is not None
        assert known.name == "eu-1"
        assert gateways.recognise(digest, now=now + timedelta(days=30), tick=0.0) is None

    def test_revoked_it_works_no_more(self) -> None:
        out = StringIO()
        call_command("gateway_token", "eu-1", stdout=out, stderr=StringIO())
        call_command("gateway_token", "eu-1", "--revoke", stdout=StringIO(), stderr=StringIO())
        digest = hashlib.sha256(out.getvalue().strip().encode()).digest()
        assert gateways.recognise(digest, now=datetime.now(UTC), tick=0.0) is None
        assert Gateway.objects.get().retired_at is not None

    def test_a_gateway_that_is_not_there_is_said(self) -> None:
        with pytest.raises(CommandError, match="no gateway"):
            call_command("gateway_token", "eu-9", "--revoke")

"""Nothing secret in the logs, whatever happened; and each line says which request it belongs to."""

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from celery import shared_task
from celery.app.trace import build_tracer
from django.core import mail
from django.test import Client

from orgs.models import Organization, User
from portal import redaction
from portal.celery import app
from sandbox.stripe import Running
from tests.billing.views.buying import BUY, fields
from tests.factories import orgs as people
from tests.factories.orgs import PASSWORD
from tests.factories.paying import stripe, tell

__all__ = ["stripe"]

SECRETS = re.compile(
    r"(sk|gw)-purser-|[sr]k_(test|live)_|whsec_|_secret_[A-Za-z0-9]|@example|%40example|" + re.escape(PASSWORD)
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the portal's own handler would write, down to the debug lines of Django and its libraries."""
    (console,) = (handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler)
    written = io.StringIO()
    ours = logging.StreamHandler(written)
    ours.setFormatter(console.formatter)
    root = logging.getLogger()
    before = root.level
    root.addHandler(ours)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(before)
    root.removeHandler(ours)


# --- What is taken out ------------------------------------------------------------------------------------------------

CASES = {
    "a key of a customer": "sk-purser-AbC_123-xyz",
    "a gateway's token": "gw-purser-AbC_123-xyz",
    "Stripe's secret key": "sk_live_51AbCdEf",
    "a test key": "sk_test_51AbCdEf",
    "a restricted key": "rk_live_51AbCdEf",
    "a signing secret": "whsec_AbC123+/=",
    "the secret of a payment": "pi_3AbC_secret_XyZ123",
    "the secret of a set-up": "seti_1AbC_secret_XyZ123",
    "the secret of a page": "cs_test_a1B2_secret_XyZ123",
    "an address": "alice@example.com",
    "an address with a tag": "alice.archer+billing@mail.example.co.uk",
    "an address in a query": "alice%40example.com",
    "an address in quotation marks": '"alice archer"@example.com',
    "an address with letters of other alphabets": "älice@exämple.com",
    "an address after a line break": "told:\nalice@example.com",
    "an address between quotation marks": '"alice@example.com"',
    "an address of this machine": "alice@localhost",
    "an address by number": "alice@[203.0.113.9]",
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("place", ["message", "field", "nested", "exception", "standard library", "key", "argument"])
def test_it_is_taken_out_wherever_it_stands(lines: io.StringIO, kind: str, place: str) -> None:
    secret = CASES[kind]
    log, plain = structlog.get_logger("of.the.tests"), logging.getLogger("of.the.tests")
    try:
        raise ValueError(f"Key (email)=({secret}) already exists.")
    except ValueError:
        match place:
            case "message":
                log.info(f"told {secret} twice")
            case "field":
                log.info("told", what=secret)
            case "nested":
                log.info("told", what={"list": [{"deep": f"<{secret}>"}]})
            case "exception":
                log.exception("failed")
            case "standard library":
                plain.exception("failed")
            case "key":
                log.info("told", **{secret: 1})
            case "argument":
                plain.info("told %s", secret)
    (line,) = lines.getvalue().splitlines()
    core = re.sub(r"^.*?@", "@", secret)
    assert core not in line
    assert json.dumps(core).strip('"') not in line
    assert redaction.MARK in line
    json.loads(line)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        ("authorization: basic YWxpY2U6cGFzcw==", "authorization: basic [redacted]"),
        ("postgresql://purser:pass-word@db.internal/purser", "postgresql://purser:[redacted]@db.internal/purser"),
        ("GET /accounts/password/reset/key/2-abc-def/", "GET /accounts/password/reset/key/[redacted]/"),
        ("GET /accounts/password/reset/key/done/", "GET /accounts/password/reset/key/done/"),
        ("GET /accounts/confirm-email/Mg:1abc:xyz/", "GET /accounts/confirm-email/[redacted]/"),
        ("GET /accounts/confirm-email/", "GET /accounts/confirm-email/"),
        ("POST /billing-email/eyJvIjoxfQ:abc", "POST /billing-email/[redacted]"),
        ("POST /recharge/stop/eyJvIjoxfQ:abc", "POST /recharge/stop/[redacted]"),
        ("GET /recharge/finish/eyJhIjoxfQ:abc", "GET /recharge/finish/[redacted]"),
        ("POST /o/acme/alerts/billing-email/again", "POST /o/acme/alerts/billing-email/again"),
    ],
)
def test_what_stands_around_it_is_kept(said: str, kept: str) -> None:
    assert redaction.clean(said) == kept


@pytest.mark.parametrize(
    "harmless",
    [
        "key_7f2c9d1e0b3aa81c in 0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f",
        "POST /o/acme/billing/purchases/0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f/check",
        "cs_test_a1B2c3 pi_3AbC evt_1Abc",
        "celery@worker-1 ready",
        "5.00 USD at 2026-04-14T12:41:07Z",
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert redaction.clean(harmless) == harmless


@pytest.mark.parametrize("long", ["a" * 20 + "@", "a@", "a.b@" + "c." * 20, "%40"])
def test_a_line_four_times_as_long_is_not_sixteen_times_the_work(long: str) -> None:
    """An expression that goes back over what it read would let one long line stop a process. Counted: processor time."""

    def work(length: int) -> float:
        started = time.process_time()
        redaction.clean(long * (length // len(long)))
        return time.process_time() - started

    work(1_000)
    assert work(200_000) < 10 * max(work(50_000), 0.01)


# --- A day's work -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_signing_up_and_in_and_forgetting_the_password(client: Client, lines: io.StringIO) -> None:
    client.post("/accounts/signup/", {"email": "dora@example.com", "password1": PASSWORD})
    link = re.search(r"http://testserver(/accounts/confirm-email/(\S+)/)", str(mail.outbox[0].body))
    assert link
    client.get(link[1])
    client.post(link[1])
    client.post("/accounts/logout/")
    client.get("/accounts/login/?email=dora%40example.com")
    client.post("/accounts/login/", {"login": "dora@example.com", "password": "wrong"})
    client.post("/accounts/password/reset/", {"email": "dora@example.com"})
    reset = re.search(r"http://testserver(/accounts/password/reset/key/(\S+)/)", str(mail.outbox[-1].body))
    assert reset
    client.get(reset[1])
    written = lines.getvalue()
    assert written.count("request_finished") >= 8
    assert SECRETS.findall(written) == []
    assert link[2] not in written
    assert reset[2] not in written


@pytest.mark.django_db(transaction=True)
def test_buying_making_a_key_and_asking_for_limits(
    lines: io.StringIO, stripe: Running, alice_client: Client, alice: User, acme: Organization
) -> None:
    shown = alice_client.get(BUY, {"preset": "100"})
    bought = alice_client.post(BUY, {**fields(shown), "preset": "100"})
    assert bought.status_code == 302
    tell(stripe)
    made = alice_client.post("/o/acme/keys/new", {"name": "notebooks", "once": "0123456789abcdef"})
    secret = re.search(r"sk-purser-[A-Za-z0-9_-]+", made.content.decode())
    assert secret
    for token in (secret[0], "sk-purser-wrong", "gw-purser-wrong"):
        headers = {"Authorization": f"Bearer {token}"}
        alice_client.get("/api/v1/limits/me", headers=headers)
        alice_client.post(
            "/api/v1/usage", {"events": [{"key": token}]}, content_type="application/json", headers=headers
        )
    alice_client.post(
        "/webhooks/stripe", b"{}", content_type="application/json", headers={"Stripe-Signature": "t=1,v1=whsec_x"}
    )
    written = lines.getvalue()
    assert written.count("request_finished") >= 9
    assert SECRETS.findall(written) == []


@pytest.mark.django_db
def test_an_error_with_secrets_in_its_words(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        raise RuntimeError("no answer for alice@example.com with sk_live_123 and Bearer abcdef123456")

    monkeypatch.setattr("portal.brand._variables", fails)
    assert Client(raise_request_exception=False).get("/brand.css").status_code == 500
    written = lines.getvalue()
    assert "RuntimeError: no answer for" in written
    assert SECRETS.findall(written) == []
    assert "abcdef123456" not in written


# --- The request's id ---------------------------------------------------------------------------------------------------


@shared_task(name="tests.portal.says_something")
def says_something() -> None:
    structlog.get_logger("of.the.tests").info("at work")


def test_the_id_of_a_request_goes_with_the_work_it_asked_for(lines: io.StringIO) -> None:
    """Sent to a queue by a request and run as a worker does, from the message's own headers."""
    from django_structlog.celery.receivers import CeleryReceiver

    app.finalize()
    with structlog.contextvars.bound_contextvars(request_id="4f1c", user_id=7):
        connection: Any = app.connection_for_write("memory://")
        app.send_task(says_something.name, connection=connection, queue="of-the-tests")
        message = connection.SimpleQueue("of-the-tests").get(block=False)
        connection.release()
    assert message.headers["__django_structlog__"] == {"request_id": "4f1c", "user_id": 7}
    worker = CeleryReceiver()
    worker.connect_worker_signals()
    work: Any = build_tracer(says_something.name, says_something, app=app)
    work(message.headers["id"], (), {}, request=message.headers)
    said = [json.loads(line) for line in lines.getvalue().splitlines() if '"at work"' in line]
    assert [(line["request_id"], line["user_id"], line["task_id"]) for line in said] == [
        ("4f1c", 7, message.headers["id"])
    ]
    structlog.contextvars.clear_contextvars()


def test_the_worker_takes_the_id_and_leaves_the_logs_as_they_are() -> None:
    from celery.signals import setup_logging
    from django_structlog.celery.steps import DjangoStructLogInitStep

    assert DjangoStructLogInitStep in app.steps["worker"]
    # With a receiver Celery puts up no handlers of its own, whose lines nothing would clean.
    assert setup_logging.receivers


def test_people_are_told_the_id_of_what_went_wrong(monkeypatch: pytest.MonkeyPatch, lines: io.StringIO) -> None:
    monkeypatch.setattr("portal.brand._variables", lambda name: 1 / 0)
    told = Client(raise_request_exception=False).get("/brand.css").content.decode()
    failed = next(json.loads(line) for line in lines.getvalue().splitlines() if '"request_failed"' in line)
    assert failed["request_id"] in told


def test_the_database_sees_no_password_either(lines: io.StringIO, db: None) -> None:
    people.person("eve@example.com", "Eve")
    assert "eve@example.com" not in lines.getvalue()

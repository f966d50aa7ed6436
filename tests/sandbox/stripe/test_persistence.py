"""Everything survives a restart: objects, keys, undelivered webhooks, the clock."""

import sqlite3
from pathlib import Path

import pytest
import stripe

from sandbox.stripe import running
from sandbox.stripe.books import Books
from tests.sandbox.stripe.conftest import SECRET, Inbox, a_session, client_of, in_browser, off_session


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "local" / "stripe.sqlite3"
    with running(state=file) as sandbox:
        client = client_of(sandbox)
        alice = client.v1.customers.create({"email": "alice@example.com"})
        session = client.v1.checkout.sessions.create(
            a_session(customer=alice.id, payment_intent_data={"setup_future_usage": "off_session"})
        )
        sandbox.admin.pay(session.id, "4000002500003155", authenticate=True)
        unpaid = client.v1.checkout.sessions.create(a_session(customer=alice.id))
        paid = client.v1.payment_intents.create(in_browser(), {"idempotency_key": "k"})
        sandbox.admin.advance(60)
        books, events = sandbox.admin.books(), [event.id for event in client.v1.events.list({"limit": 100}).data]
    with running(state=file) as sandbox:
        client = client_of(sandbox)
        assert sandbox.admin.books() == books
        assert [event.id for event in client.v1.events.list({"limit": 100}).data] == events
        assert client.v1.payment_intents.create(in_browser(), {"idempotency_key": "k"}).id == paid.id
        (card,) = client.v1.customers.payment_methods.list(alice.id).data
        assert client.v1.payment_intents.create(off_session(alice, card.id)).status == "succeeded"
        assert sandbox.admin.pay(unpaid.id)["result"] == "paid"
        assert sandbox.admin.call("GET", "/clock")["offset"] == 60


def test_what_was_not_delivered_is_delivered_after_the_restart(tmp_path: Path, inbox: Inbox) -> None:
    file = tmp_path / "stripe.sqlite3"
    with running(state=file, webhook_url="http://127.0.0.1:9/away", webhook_secret=SECRET) as sandbox:
        client_of(sandbox).v1.customers.create({})
    with running(state=file, webhook_url=inbox.url, webhook_secret=SECRET):
        assert inbox.wait_for("customer.created") == ["customer.created"]


def test_the_same_seed_does_not_give_an_id_twice(tmp_path: Path) -> None:
    ids = []
    for _ in range(2):
        with running(state=tmp_path / "s", seed=1) as sandbox:
            ids.append(client_of(sandbox).v1.customers.create({}).id)
    assert ids[0] != ids[1]


def test_reset_forgets_on_disk_too(tmp_path: Path) -> None:
    file = tmp_path / "stripe.sqlite3"
    with running(state=file) as sandbox:
        client_of(sandbox).v1.customers.create({})
        sandbox.admin.reset()
    with running(state=file) as sandbox:
        assert client_of(sandbox).v1.customers.list().data == []


def test_only_whole_requests_are_kept(tmp_path: Path) -> None:
    """What was not committed when the process died never was; what was, is there whole."""
    file = tmp_path / "stripe.sqlite3"
    books = Books(file)
    books.add("a", {"id": "1", "n": 1})
    books.add("a", {"id": "2", "n": 2})
    books.commit()
    books.remove("a", "1")
    books.put("a", {"id": "2", "n": 3})
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT id, body FROM rows").fetchall() == [
            ("1", '{"id": "1", "n": 1}'),
            ("2", '{"id": "2", "n": 2}'),
        ]
    books.commit()
    assert [row["n"] for row in Books(file).oldest_first("a")] == [3]


def test_the_order_survives(tmp_path: Path) -> None:
    books = Books(tmp_path / "s")
    for name in "cab":
        books.add("x", {"id": name})
        books.commit()
    assert [row["id"] for row in Books(tmp_path / "s").newest_first("x")] == ["b", "a", "c"]


def test_without_a_file_nothing_is_kept() -> None:
    with running() as sandbox:
        client_of(sandbox).v1.customers.create({})
    with running() as sandbox, pytest.raises(stripe.InvalidRequestError):
        client_of(sandbox).v1.customers.retrieve("cus_gone")

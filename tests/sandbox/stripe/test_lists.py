"""Lists with cursors and filters, and `expand[]`."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running, running
from tests.sandbox.stripe.conftest import charge_of, client_of, in_browser, saved


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[Running, stripe.StripeClient]]:
    """Twenty-five customers, one a minute."""
    with running() as sandbox:
        client = client_of(sandbox)
        sandbox.admin.set_clock("2026-01-01T00:00:00+00:00")
        for place in range(25):
            client.v1.customers.create({"email": f"{place}@example.com"})
            sandbox.admin.advance(60)
        yield sandbox, client


def emails(page: Any) -> list[int]:
    return [int(customer.email.split("@")[0]) for customer in page.data]


def test_newest_first_ten_at_a_time(shop: tuple[Running, stripe.StripeClient]) -> None:
    page = shop[1].v1.customers.list()
    assert emails(page) == list(range(24, 14, -1))
    assert (page.has_more, page.url) == (True, "/v1/customers")


def test_forward_with_a_cursor(shop: tuple[Running, stripe.StripeClient]) -> None:
    _, client = shop
    first = client.v1.customers.list({"limit": 20})
    second = client.v1.customers.list({"limit": 20, "starting_after": first.data[-1].id})
    assert emails(first) + emails(second) == list(range(24, -1, -1))
    assert (first.has_more, second.has_more) == (True, False)


def test_backward_with_a_cursor(shop: tuple[Running, stripe.StripeClient]) -> None:
    _, client = shop
    oldest = client.v1.customers.list({"limit": 100}).data[-1].id
    page = client.v1.customers.list({"limit": 3, "ending_before": oldest})
    assert (emails(page), page.has_more) == ([3, 2, 1], True)


def test_the_sdk_walks_all_pages(shop: tuple[Running, stripe.StripeClient]) -> None:
    walked = shop[1].v1.customers.list({"limit": 4}).auto_paging_iter()
    assert len({customer.id for customer in walked}) == 25


def test_a_cursor_does_not_skip_what_is_new(client: stripe.StripeClient) -> None:
    for _ in range(3):
        client.v1.customers.create({})
    first = client.v1.customers.list({"limit": 2})
    client.v1.customers.create({})
    second = client.v1.customers.list({"limit": 2, "starting_after": first.data[-1].id})
    assert len(second.data) == 1


@pytest.mark.parametrize(
    ("created", "count"),
    [({"gte": 1_767_225_600 + 600}, 15), ({"gt": 1_767_225_600 + 600, "lte": 1_767_225_600 + 720}, 2), ({"lt": 5}, 0)],
)
def test_a_range_of_time(shop: tuple[Running, stripe.StripeClient], created: Any, count: int) -> None:
    assert len(shop[1].v1.customers.list({"created": created, "limit": 100}).data) == count


@pytest.mark.parametrize(
    ("bad", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"starting_after": "cus_nobody"}, "starting_after"),
        ({"starting_after": "a", "ending_before": "b"}, "starting_after"),
        ({"order": "asc"}, "order"),
    ],
)
def test_what_a_list_refuses(shop: tuple[Running, stripe.StripeClient], bad: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop[1].v1.customers.list(bad)
    assert refused.value.param == param


def test_filters(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    charge_of(client)
    mine = client.v1.payment_intents.create(in_browser(saved(client, alice), customer=alice.id))
    assert [row.id for row in client.v1.payment_intents.list({"customer": alice.id}).data] == [mine.id]
    assert [row.payment_intent for row in client.v1.charges.list({"payment_intent": mine.id}).data] == [mine.id]
    assert [row.email for row in client.v1.customers.list({"email": "alice@example.com"}).data] == [alice.email]
    assert {row.type for row in client.v1.events.list({"type": "charge.succeeded"}).data} == {"charge.succeeded"}
    two: Any = {"types": ["charge.succeeded", "charge.updated"]}
    assert len(client.v1.events.list(two).data) == 4
    assert len(client.v1.balance_transactions.list({"source": str(mine.latest_charge)}).data) == 1
    assert client.v1.balance_transactions.list({"type": "refund"}).data == []


def test_expanding(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    made = client.v1.payment_intents.create(in_browser(saved(client, alice), customer=alice.id))
    intent = client.v1.payment_intents.retrieve(
        made.id, {"expand": ["customer", "latest_charge.balance_transaction", "latest_charge.refunds"]}
    )
    assert isinstance(intent.customer, stripe.Customer)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert intent.latest_charge.refunds is not None
    assert intent.latest_charge.refunds.data == []
    page = client.v1.payment_intents.list({"expand": ["data.latest_charge"]})
    assert isinstance(page.data[0].latest_charge, stripe.Charge)
    again = client.v1.payment_intents.retrieve(made.id)
    assert isinstance(again.customer, str)


@pytest.mark.parametrize("path", ["amount", "colour", "latest_charge.colour", "a.b.c.d.e"])
def test_what_cannot_be_expanded(client: stripe.StripeClient, path: str) -> None:
    made = client.v1.payment_intents.create(in_browser())
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        client.v1.payment_intents.retrieve(made.id, {"expand": [path]})

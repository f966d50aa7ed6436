"""The Overview: first steps for a new organization, then what is there, how fast it goes and what comes."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from billing.catalog.models import AIModel
from billing.coverage.models import Payer
from orgs.models import ApiKey, Organization
from tests.factories import books, catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.usefixtures("at_noon")

DAY = timedelta(days=1)


def page(client: Client, organization: Organization) -> str:
    answer = client.get(f"/o/{organization.slug}/")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


# --- First steps ---------------------------------------------------------------------------------------------------


def test_a_new_team_buys_credit_first(alice_client: Client, acme: Organization, model: AIModel) -> None:
    shown = page(alice_client, acme)
    assert "Three steps to your first answer." in shown
    assert "Acme Research is a Team: its keys answer 402 until it has credit." in shown
    assert shown.index("Buy credits</h3>") < shown.index("Create an API key") < shown.index("Send a request")
    assert '<a class="btn btn-primary" href="/o/acme/billing/buy">Buy credits</a>' in shown
    assert shown.count("btn-primary") == 1
    assert "&quot;model&quot;: &quot;gpt-oss-120b&quot;" in shown or '"model": "gpt-oss-120b"' in shown
    assert "Available credit" not in shown


def test_a_new_person_may_send_requests_without_paying(alice_client: Client, alice_personal: Organization) -> None:
    shown = page(alice_client, alice_personal)
    assert "usage is free at free-tier limits" in shown
    assert shown.index("Create an API key") < shown.index("Send a request") < shown.index("Buy credits for more")
    assert f'<a class="btn btn-primary" href="/o/{alice_personal.slug}/keys/new">New key</a>' in shown


def test_after_the_first_purchase_the_key_is_next(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    usage.bought(acme, "100", now=at_noon)
    shown = page(alice_client, acme)
    assert '<dd class="display"><data value="100">$100.00</data></dd>' in shown
    assert "Nothing used yet." in shown
    assert '<a class="btn btn-primary" href="/o/acme/keys/new">New key</a>' in shown
    assert '<a class="btn btn-quiet" href="/o/acme/billing/buy">Buy credits</a>' in shown
    assert shown.count("btn-primary") == 1
    assert "Purchase expires" in shown


def test_a_step_done_is_said_to_be_done(alice_client: Client, acme: Organization, key: ApiKey) -> None:
    shown = page(alice_client, acme)
    assert "Create an API key</h3> <p><span" in shown
    assert "Done" in shown


@pytest.mark.parametrize("bob_role", ["viewer"])
def test_a_viewer_sees_the_steps_and_who_takes_them(bob_client: Client, acme: Organization) -> None:
    shown = page(bob_client, acme)
    assert "Owners, admins and the billing role can buy them." in shown
    assert "/billing/buy" not in shown
    assert "/keys/new" not in shown


# --- In use --------------------------------------------------------------------------------------------------------


def test_what_is_there_and_how_fast_it_goes(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.bought(acme, "100", now=at_noon - 40 * DAY)
    for days in range(10):
        books.accepted(key, model, at_noon - days * DAY, tokens_in=4_000_000, tokens_out=0)
    books.accepted(key, model, at_noon - 34 * DAY, tokens_in=10_000_000, tokens_out=0)
    books.charged(now=at_noon)
    shown = page(alice_client, acme)
    assert "$82.50</data></dd>" in shown
    # 1.40 a day: 82.50 lasts 58 days and 22 hours.
    assert (
        'Lasts until about <b><time datetime="2026-06-12T10:58:16Z">12 Jun</time></b> at the pace of the last 7 days.'
        in shown
    )
    assert '$1.40</data></dd> <dd class="stat-note"><data value="1.4">$1.40</data> by this time yesterday' in shown
    assert "April so far" in shown
    assert "$3.50</data> by this day in March" in shown
    assert "Complete through" in shown
    assert "usual delay 8 s" in shown
    assert "all of it used before at this pace" in shown


def test_a_forecast_needs_three_full_days(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.bought(acme, "100", now=at_noon - 3 * DAY)
    for days in range(3):
        books.accepted(key, model, at_noon - days * DAY)
    books.charged(now=at_noon)
    assert "Not enough history for a forecast. It needs 3 full days, you have 1." in page(alice_client, acme)


def test_without_credit_a_team_reads_what_its_keys_answer(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    books.accepted(key, model, at_noon)
    books.charged(now=at_noon)
    shown = page(alice_client, acme)
    assert "−$0.43</data></dd>" in shown
    assert "was used beyond your credit; new credit pays it first." in shown
    assert "Requests that no plan covers get 402 until you buy credit." in shown


def test_free_use_is_said_in_words(
    alice_client: Client, alice_personal: Organization, model: AIModel, at_noon: datetime
) -> None:
    key = people.key(alice_personal, "laptop", now=at_noon).key
    books.accepted(key, model, at_noon, payer=Payer.FREE)
    books.charged(now=at_noon)
    shown = page(alice_client, alice_personal)
    assert "No credit was spent in these 30 days." in shown
    assert "1.10 M tokens drew no credit" in shown
    assert '<span class="quiet">free</span>' in shown


def test_the_end_of_a_model_in_use_is_announced(
    alice_client: Client, acme: Organization, key: ApiKey, at_noon: datetime
) -> None:
    ending = catalog.model("llama3.1-8b", deprecated_on=(at_noon + 43 * DAY).date())
    books.accepted(key, ending, at_noon)
    books.charged(now=at_noon)
    shown = page(alice_client, acme)
    assert "llama3.1-8b ends" in shown
    assert "Requests from then on get 403" in shown


# --- Who, and at what cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "usage", "billing", "billing/ledger/2026-04.1"])
def test_a_stranger_finds_no_page_here(
    charlie_client: Client, acme: Organization, at_noon: datetime, path: str
) -> None:
    usage.bought(acme, "10", now=at_noon)
    assert charlie_client.get(f"/o/acme/{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "usage", "billing", "billing/ledger/2026-04.1"])
def test_pages_that_read_take_nothing(alice_client: Client, acme: Organization, at_noon: datetime, path: str) -> None:
    usage.bought(acme, "10", now=at_noon)
    assert alice_client.post(f"/o/acme/{path}").status_code == 405


@pytest.mark.parametrize(("keys", "days"), [(1, 5), (9, 20)])
def test_the_overview_costs_the_same_for_much_and_little(
    alice_client: Client,
    acme: Organization,
    model: AIModel,
    at_noon: datetime,
    keys: int,
    days: int,
    django_assert_num_queries: Any,
) -> None:
    usage.bought(acme, "500", now=at_noon - 40 * DAY)
    models = [model, *(catalog.model(f"model-{number}") for number in range(keys))]
    for number in range(keys):
        key = people.key(acme, f"key-{number}", now=at_noon).key
        usage.bought(acme, "5", now=at_noon - number * DAY)
        for day in range(days):
            books.accepted(key, models[number], at_noon - day * DAY)
    books.charged(now=at_noon)
    alice_client.get("/o/acme/")
    with django_assert_num_queries(26):
        alice_client.get("/o/acme/")


def test_decimals_never_leave_the_page_inexact(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.bought(acme, "100", now=at_noon)
    books.accepted(key, model, at_noon, tokens_in=18_059_974, tokens_out=245_896)
    books.charged(now=at_noon)
    shown = page(alice_client, acme)
    assert f'<data value="{Decimal("6.5054129")}" title="$6.5054129 USD exactly">$6.51</data>' in shown
    assert '<data value="93.4945871" title="$93.4945871 USD exactly">$93.49</data>' in shown

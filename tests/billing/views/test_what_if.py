"""What if, as people see it: their own use priced each way, a contract they think of, and nothing for who has no use."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from billing import flows
from billing.catalog.models import AIModel, Plan
from billing.coverage.models import Payer
from orgs.models import ApiKey, Organization, User
from tests.factories import books, catalog, contracts, plans
from tests.factories import orgs as people

pytestmark = pytest.mark.usefixtures("at_noon")

DAY = timedelta(days=1)
M = 1_000_000


def page(client: Client, asked: str = "") -> str:
    answer = client.get(f"/o/acme/plans/what-if{asked}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


@pytest.fixture
def sold(db: None) -> dict[str, AIModel]:
    return catalog.first_catalog()


@pytest.fixture
def a_month(acme: Organization, key: ApiKey, sold: dict[str, AIModel], at_noon: datetime) -> None:
    """40 M tokens of gpt-oss-120b for 14.00, and 30 M of zai-glm-4.7 for 67.50, all of these on one day."""
    books.accepted(key, sold["gpt-oss-120b"], at_noon - 3 * DAY, tokens_in=40 * M, tokens_out=0)
    books.accepted(key, sold["zai-glm-4.7"], at_noon - 2 * DAY, tokens_in=30 * M, tokens_out=0)
    books.charged(now=at_noon)


@pytest.fixture
def key(acme: Organization, at_noon: datetime) -> ApiKey:
    return people.key(acme, "prod-api", now=at_noon).key


def rows(shown: str) -> list[str]:
    table = shown[shown.index("<tbody>") : shown.index("</tbody>")]
    return [row.split("</tr>")[0] for row in table.split("<tr>")[1:]]


def test_nothing_used_says_what_will_be_here(alice_client: Client, acme: Organization, sold: Any) -> None:
    shown = page(alice_client)
    assert "Nothing was used in these days." in shown
    assert "<table" not in shown
    assert 'href="/o/acme/plans/what-if?days=90"' in shown


@pytest.mark.usefixtures("a_month")
def test_each_way_with_its_price_and_its_limits(alice_client: Client) -> None:
    shown = page(alice_client)
    pro, payg, most = rows(shown)
    assert "Code Pro" in pro
    assert '<data value="64">$64.00</data>' in pro
    assert '<data value="-17.5">−$17.50</data>' in pro
    assert "1 day of daily allowance" in pro
    assert 'Pay as you go <span class="tag">Now</span>' in payg
    assert '<data value="81.5">$81.50</data>' in payg
    assert "Code Max" in most
    assert '<data value="132.5">+$132.50</data>' in most
    assert (
        '<rect class="fill-s3" x="0.000%" y="0" width="38.084%" height="16"><title>Credit · $81.50</title></rect>'
        in payg
    )
    assert "style=" not in shown


@pytest.mark.usefixtures("a_month")
def test_the_days_above_the_allowance_of_the_plan_that_is_chosen(alice_client: Client) -> None:
    shown = page(alice_client)
    assert "Days above 24 M tokens" in shown
    assert "On 1 day, <data" in shown
    assert "would have been answered 429" in shown
    assert "Above, answered 429<b>6.00 M</b>" in shown
    assert shown.count('<th class="figures" scope="row">') == 30
    enough = page(alice_client, "?plan=code-max")
    assert "Enough on all of the last 30 days." in enough
    assert "Above, answered 429" not in enough


@pytest.mark.usefixtures("a_month")
def test_a_contract_at_a_chosen_commitment_joins_the_comparison(alice_client: Client) -> None:
    asked = "?days=30&plan=code-max&model=gpt-oss-120b&tokens=30&price=0.25&overage=0.30"
    shown = page(alice_client, asked)
    assert [name for name in ("Code Pro + contract", "Pay as you go + contract") if name not in shown] == []
    assert "30 M of gpt-oss-120b at $0.25 is <b><data" in shown
    assert '<data value="7.5">$7.50</data>' in shown
    assert '<data value="3">$3.00</data>' in shown  # 10 M beyond, at 0.30
    assert '<input type="hidden" name="plan" value="code-max">' in shown
    assert "None on other models" not in shown  # Code Pro's day and pay as you go's minute are those of zai-glm-4.7
    assert "Ask for an offer" in shown


@pytest.mark.usefixtures("a_month")
def test_without_a_price_it_is_what_the_use_costs_at_list(alice_client: Client) -> None:
    assert "Empty: $0.35, which is what your use costs per million at list." in page(
        alice_client, "?model=gpt-oss-120b"
    )
    shown = page(alice_client, "?model=gpt-oss-120b&tokens=40&price=&overage=")
    assert "40 M of gpt-oss-120b at $0.35 is" in shown
    assert "You would not have gone beyond it." in shown


def test_the_sales_contact_is_the_operators(alice_client: Client, a_month: None, settings: Any) -> None:
    settings.SUPPORT = {**settings.SUPPORT, "sales_url": "https://example.com/sales"}
    assert '<a class="link-inline" href="https://example.com/sales">Ask for an offer</a>' in page(alice_client)


def test_what_the_organization_has_now_and_soon_is_marked(
    alice_client: Client, acme: Organization, alice: User, a_month: None, at_noon: datetime
) -> None:
    larger, pro = (Plan.objects.get(slug=slug) for slug in ("code-max", "code-pro"))
    running = plans.begun(acme, larger, alice, now=at_noon - 3 * DAY)
    flows.schedule_plan(acme.pk, running.public_id, pro.pk, by=alice.pk, now=at_noon)
    shown = rows(page(alice_client))
    [most] = [row for row in shown if "Code Max" in row]
    assert 'Code Max <span class="tag">Now</span>' in most
    [soon] = [row for row in shown if "Code Pro" in row]
    assert 'Code Pro <span class="tag">From <time datetime="2026-05-11T12:41:08Z">11 May</time></span>' in soon


def test_a_contract_that_runs_is_in_every_way(
    alice_client: Client, acme: Organization, alice: User, key: ApiKey, sold: dict[str, AIModel], at_noon: datetime
) -> None:
    contracts.running(acme, alice, sold["gpt-oss-120b"])
    books.accepted(key, sold["gpt-oss-120b"], at_noon - 3 * DAY, tokens_in=12 * M, tokens_out=0, payer=Payer.CONTRACT)
    books.charged(now=at_noon)
    shown = page(alice_client)
    assert "Your reserved capacity of gpt-oss-120b is in each of them" in shown
    [payg] = [row for row in rows(shown) if "Pay as you go" in row]
    assert '<span class="tag">Now</span>' in payg
    assert '<data value="6.6">$6.60</data>' in payg
    assert alice_client.get("/o/acme/plans/what-if?model=gpt-oss-120b").status_code == 404


def test_ninety_days_say_which_are_known_by_the_minute(alice_client: Client, a_month: None) -> None:
    shown = page(alice_client, "?days=90")
    assert "Rate limits are known by the minute since" in shown
    assert "10 Mar 2026</time>; daily allowances for all 90 days." in shown
    assert '<data value="164">$164.00</data>' in shown  # three months of Code Pro, and 14.00


def test_free_tokens_are_told(
    alice_client: Client, acme: Organization, key: ApiKey, sold: Any, at_noon: datetime
) -> None:
    books.accepted(key, sold["gpt-oss-120b"], at_noon - DAY, tokens_in=M, tokens_out=0, payer=Payer.FREE)
    books.charged(now=at_noon)
    assert "were free and are at list here" in page(alice_client)


# --- Strict, and cheap ---------------------------------------------------------------------------------------------


UNKNOWN = ("days=31", "days=", "plan=gold", "plan=", "plan=%00", "model=gpt-5", "model=", "model=llama3.1-8b'--")
TOKENS = (
    "9", "-10", "1e3", "10.5", "010", "１００", "10 ", "ten", "9" * 17, "1000000001", "", "%00", "NaN", "1,000", "<b>",
)  # fmt: skip
PRICES = (
    "0", "0.0", "-1", "1e3", "0.1234567", "NaN", "Infinity", "1000000", ".5", "1,50", "%EF%BC%91", "1%00", "<b>", " 1",
)  # fmt: skip


def test_words_the_page_does_not_know_are_not_found(alice_client: Client, a_month: None) -> None:
    answers = {asked: alice_client.get(f"/o/acme/plans/what-if?{asked}").status_code for asked in UNKNOWN}
    assert answers == dict.fromkeys(UNKNOWN, 404)


def test_figures_that_no_contract_has_are_errors_of_the_form(alice_client: Client, a_month: None) -> None:
    sent = [f"tokens={tokens}&price=1&overage=1" for tokens in TOKENS]
    sent += [f"tokens=100&price={price}&overage=1" for price in PRICES]
    sent += [f"tokens=100&price=1&overage={price}" for price in PRICES]
    shown = {figures: page(alice_client, f"?model=gpt-oss-120b&{figures}") for figures in sent}
    taken = [figures for figures, said in shown.items() if "field-error" not in said or "+ contract" in said]
    assert taken == []
    assert "+ contract" in page(alice_client, "?model=gpt-oss-120b&tokens=100&price=1&overage=1")  # the control


def test_terms_are_held_to_the_rules_of_contracts(alice_client: Client, a_month: None) -> None:
    for asked, words in {
        "tokens=10&price=0.10&overage=1": "A month costs at least $5.00",
        "tokens=11&price=0.512345&overage=1": "whole cents a month",
        "tokens=1000000000&price=100&overage=1": "at most $1,000,000.00",
    }.items():
        assert words in page(alice_client, f"?model=gpt-oss-120b&{asked}")


def test_a_model_that_was_not_used_needs_a_price(alice_client: Client, a_month: None) -> None:
    catalog.model("quiet")
    assert "You have not used this model here: write a price." in page(alice_client, "?model=quiet&tokens=20")
    assert "+ contract" in page(alice_client, "?model=quiet&tokens=20&price=1&overage=1")


@pytest.mark.parametrize("much", [2, 14])
def test_what_if_costs_the_same_for_much_and_little(
    alice_client: Client, acme: Organization, key: ApiKey, at_noon: datetime, much: int, django_assert_num_queries: Any
) -> None:
    for number in range(much):
        model = catalog.model(f"model-{number}")
        catalog.plan(model, f"plan-{number}", daily_tokens=M, rank=number + 1)
        for hours in range(0, 10 * much, 7):
            books.accepted(key, model, at_noon - timedelta(hours=hours))
    books.charged(now=at_noon)
    path = "/o/acme/plans/what-if?days=90&model=model-0&tokens=20&price=1&overage=1"
    alice_client.get(path)
    with django_assert_num_queries(13):
        alice_client.get(path)

"""Usage: what was used and spent, in the range, grain and stacking that the address says, always up to date."""

import re
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

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PART = {"HX-Request": "true", "HX-Target": "usage-live"}


def page(client: Client, asked: str = "", **headers: str) -> str:
    answer = client.get(f"/o/acme/usage{asked}", headers=headers)
    assert answer.status_code == 200
    assert "HX-Request" in answer.headers["Vary"]
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def refresh(shown: str) -> str:
    """What the page asks for by itself every 15 seconds."""
    [url] = re.findall(r'hx-get="/o/acme/usage([^"]*)" hx-trigger="every 15s"', shown)
    return str(url).replace("&amp;", "&")


def stat(shown: str, label: str) -> Decimal:
    [value] = re.findall(rf'<dt>{label}</dt> <dd class="figure"><data value="([\d.]+)"', shown)
    return Decimal(value)


@pytest.fixture
def azure_hour(acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime) -> None:
    """A real hour of traffic, by its sums."""
    usage.bought(acme, "100", now=at_noon - DAY)
    books.accepted(key, model, at_noon - HOUR, tokens_in=18_059_974, tokens_out=245_896, requests=8_819)
    books.charged(now=at_noon)


@pytest.mark.usefixtures("azure_hour")
@pytest.mark.parametrize("range_", ["24h", "7d", "30d", "month"])
@pytest.mark.parametrize("by", ["model", "key"])
def test_the_figures_are_the_same_in_every_view(alice_client: Client, acme: Organization, range_: str, by: str) -> None:
    shown = page(alice_client, f"?range={range_}&by={by}&show=tokens")
    assert stat(shown, "Credit spent") == Decimal("6.5054129")
    assert stat(shown, "Tokens in") == 18_059_974
    assert stat(shown, "Tokens out") == 245_896
    assert stat(shown, "Requests") == 8_819
    assert ("gpt-oss-120b" if by == "model" else "prod-api") in shown
    assert "<b>18.31 M</b>" in shown  # the legend carries the total of each series
    assert "Complete through" in shown
    assert "12:41 UTC" in shown


@pytest.mark.usefixtures("azure_hour")
def test_bars_and_table_say_the_same(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client, "?range=24h&points=1")
    assert "<title>14 Apr, 11:00 · gpt-oss-120b · $6.51 (6.5054129) · 18.31 M tokens</title>" in shown
    assert shown.count('<th class="figures" scope="row">') == 24
    assert "$0.35 / $0.75" in shown


def test_what_it_is_compared_with(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    assert "nothing in the 30 days before" in page(alice_client)
    for days, tokens in ((1, 2_000_000), (8, 1_000_000)):
        books.accepted(key, model, at_noon - days * DAY, tokens_in=tokens, tokens_out=0)
    books.charged(now=at_noon)
    assert "+100.0 % on the 7 days before" in page(alice_client, "?range=7d")


def test_what_drew_no_credit_is_shown_and_costs_nothing(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    books.accepted(key, model, at_noon, payer=Payer.FREE)
    books.charged(now=at_noon)
    shown = page(alice_client)
    assert "No credit was spent in this range. What was used is below." in shown
    assert "drew no credit</small>" in shown
    assert stat(shown, "Credit spent") == 0


def test_late_tokens_are_told(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    books.accepted(key, model, at_noon - 3 * DAY, late=1_100_000)
    books.charged(now=at_noon)
    assert "11 Apr: 1.10 M tokens arrived late." in page(alice_client)


def test_a_page_that_is_behind_says_so(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    books.accepted(key, model, at_noon - HOUR)
    books.charged(now=at_noon, through=at_noon - timedelta(minutes=22))
    shown = page(alice_client)
    assert "12:19 UTC" in shown
    assert "22 min behind, limits are not affected" in shown


def test_an_empty_range_says_what_will_be_here(alice_client: Client, acme: Organization) -> None:
    assert "Nothing yet in this range. A request shows up here within seconds." in page(alice_client)


# --- The refresh ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("azure_hour")
def test_the_refresh_is_the_part_of_the_page_and_says_nothing_new(alice_client: Client, acme: Organization) -> None:
    whole = page(alice_client, "?range=7d&show=tokens")
    part = page(alice_client, refresh(whole), **PART)
    assert part.startswith('<div id="usage-live"')
    assert part == whole[whole.index('<div id="usage-live"') :][: len(part)]
    assert "hx-swap-oob" not in part
    assert 'role="status" id="usage-said"' in whole


@pytest.mark.usefixtures("azure_hour")
def test_only_new_figures_are_announced(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    asked = refresh(page(alice_client))
    books.accepted(key, model, at_noon, tokens_in=1_000_000, tokens_out=0, requests=1)
    books.charged(now=at_noon)
    part = page(alice_client, asked, **PART)
    said = part[part.index('<p id="usage-said" hx-swap-oob="innerHTML">') :]
    assert "$6.86</data> spent" in said
    assert "8,820</data> requests." in said


def test_colours_stay_while_the_page_is_open(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    other = people.key(acme, "eval-batch", now=at_noon).key
    books.accepted(key, model, at_noon, tokens_in=2_000_000)
    books.accepted(other, model, at_noon, tokens_in=1_000_000)
    books.charged(now=at_noon)
    asked = refresh(page(alice_client, "?by=key"))
    books.accepted(other, model, at_noon, tokens_in=9_000_000)
    books.charged(now=at_noon)
    legend = '<span class="swatch bg-s1" aria-hidden="true"></span>'
    assert f"<li>{legend}prod-api" in page(alice_client, asked, **PART)
    assert f"<li>{legend}eval-batch" in page(alice_client, "?by=key")


# --- Strict, and cheap ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    ["range=1y", "range=", "grain=minute", "range=24h&grain=day", "by=payer", "show=money", "points=2", "order=1;2",
     "order=-1", "order=1,2,3,4,5,6,7", "order=99999999999999999999", "seen=<script>", "seen=g123456789abcdef",
     "range=30d%00"],
)  # fmt: skip
def test_words_the_page_does_not_know_are_not_found(alice_client: Client, acme: Organization, asked: str) -> None:
    assert alice_client.get(f"/o/acme/usage?{asked}").status_code == 404


@pytest.mark.usefixtures("azure_hour")
def test_an_id_of_another_organization_in_the_address_changes_nothing(
    alice_client: Client, acme: Organization, charlie_personal: Organization, at_noon: datetime
) -> None:
    foreign = people.key(charlie_personal, "charlies", now=at_noon).key
    shown = page(alice_client, f"?by=key&order={foreign.pk}")
    assert "charlies" not in shown
    assert "prod-api" in shown


@pytest.mark.parametrize(("by", "queries"), [("model", 11), ("key", 9)])
@pytest.mark.parametrize("much", [2, 14])
def test_usage_costs_the_same_for_much_and_little(
    alice_client: Client,
    acme: Organization,
    at_noon: datetime,
    by: str,
    queries: int,
    much: int,
    django_assert_num_queries: Any,
) -> None:
    for number in range(much):
        key = people.key(acme, f"key-{number}", now=at_noon).key
        model = catalog.model(f"model-{number}")
        for hours in range(0, 20 * much, 7):
            books.accepted(key, model, at_noon - hours * HOUR)
    books.charged(now=at_noon)
    path = f"/o/acme/usage?range=30d&grain=hour&by={by}&points=1"
    alice_client.get(path)
    with django_assert_num_queries(queries):
        alice_client.get(path)

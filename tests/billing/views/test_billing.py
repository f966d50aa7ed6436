"""Billing: the balance as a sum, the grants, and the ledger down to why."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from billing import flows
from billing.catalog.models import AIModel
from billing.graphs import credits, lines
from billing.graphs.movements import Kind
from billing.ledger.models import Account
from billing.payments import answers
from billing.payments.models import Intent, PaymentMethod
from orgs.models import ApiKey, Organization
from tests.factories import books, catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.usefixtures("at_noon")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def page(client: Client, path: str = "/o/acme/billing", **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


def amounts(shown: str) -> list[Decimal]:
    """The exact values of the figures, in the order of the page."""
    return [Decimal(value) for value in re.findall(r'<data value="(-?[\d.]+)"', shown)]


def in_htmx(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": target}


def table_rows(shown: str) -> list[str]:
    """The lines of the ledger, as they are written."""
    table = shown[shown.index('class="tbl lines"') :]
    return table[table.index("<tbody>") : table.index("</tbody>")].split("<tr")[1:]


def used(key: ApiKey, model: AIModel, at: datetime, tokens: int = 2_000_000, **other: Any) -> None:
    """So many tokens in, at 0.35 per million."""
    books.accepted(key, model, at, tokens_in=tokens, tokens_out=0, **other)


# --- The head ------------------------------------------------------------------------------------------------------


def test_the_first_purchase_shows(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    grant = usage.bought(acme, "100", now=at_noon)
    Intent.objects.filter(pk=str(grant.payment_id)).update(card_brand="visa", card_last4="4242")
    shown = page(alice_client)
    assert '<dd class="display"><data value="100">$100.00</data></dd>' in shown
    assert "Visa ending 4242" in shown
    assert '<time datetime="2027-04-14T12:42:00Z">14 Apr 2027</time><small>in 52 weeks</small>' in shown
    assert '<span class="money-in"><data value="100">+$100.00</data></span>' in shown
    assert "1</data> line since" in shown


def test_before_anything_happened_the_page_says_what_will_be_here(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client)
    assert "No card is saved. Buying credits saves the one you pay with." in shown
    assert "No credit now." in shown
    assert "Nothing yet. What you buy and what you use shows up here, line by line." in shown


def test_settled_less_accrued_is_available(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.bought(acme, "100", now=at_noon - 5 * HOUR)
    used(key, model, at_noon, 3_333_333)
    books.charged(now=at_noon)
    shown = page(alice_client)
    head = shown[shown.index("stats-head") : shown.index("Payment method")]
    assert "$98.83</data></dd>" in head
    settled, accrued = re.findall(r'<dt>(?:Settled|Accrued)</dt> <dd class="figure"><data value="([-\d.]+)"', head)
    assert Decimal(settled) + Decimal(accrued) == Decimal("98.83")
    assert 'at most <data value="10">$10.00</data> of it is charged at month end' in head
    exact = page(alice_client, "/o/acme/billing?exact=1")
    head = exact[exact.index("stats-head") : exact.index("Payment method")]
    available, settled, accrued, overdraft, _ = amounts(head)
    assert settled + accrued == available == Decimal("100") - Decimal("1.16666655")
    assert overdraft == 0


def test_held_credit_is_a_part_of_the_sum_only_when_there_is_some(
    alice_client: Client, acme: Organization, at_noon: datetime
) -> None:
    grant = usage.bought(acme, "40", now=at_noon)
    assert "<dt>Held</dt>" not in page(alice_client)
    Account.objects.filter(pk=grant.account_id).update(held=True)
    shown = page(alice_client)
    assert '<dt>Held</dt> <dd class="figure"><data value="-40">−$40.00</data>' in shown
    assert '<dd class="display"><data value="0">$0.00</data></dd>' in shown
    assert "Held: the payment is disputed" in shown


def test_the_saved_card_shows(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    PaymentMethod.objects.create(
        wallet_id=acme.pk, stripe_id="pm_1", brand="mastercard", last4="4444", exp_month=3, exp_year=2028, is_default=True,
        created_at=at_noon,
    )  # fmt: skip
    shown = page(alice_client)
    assert "Mastercard ending 4444" in shown
    assert "Expires 03/2028" in shown


@pytest.mark.parametrize(("bob_role", "buys"), [("billing", True), ("developer", False), ("viewer", False)])
def test_who_may_not_move_money_reads_and_sees_no_button(bob_client: Client, acme: Organization, buys: bool) -> None:
    assert ('href="/o/acme/billing/buy"' in page(bob_client)) == buys


# --- Grants --------------------------------------------------------------------------------------------------------


def test_used_and_expired_grants_are_one_click_away(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.given(acme, "0.70", now=at_noon - 5 * DAY)
    used(key, model, at_noon - 4 * DAY)
    books.charged_and_posted(at_noon - 4 * DAY, now=at_noon - 3 * DAY)
    assert "Used and expired grants (1)" in page(alice_client)
    assert "Hide used and expired grants" in page(alice_client, "/o/acme/billing?grants=past")


def test_a_grant_past_its_end_says_what_it_waits_for(
    alice_client: Client, acme: Organization, at_noon: datetime
) -> None:
    usage.given(acme, "5", now=at_noon - 10 * DAY, days=9)
    shown = page(alice_client)
    assert "Expired: waits for usage from before" in shown
    assert '<dt>Held</dt> <dd class="figure"><data value="-5">−$5.00</data>' in shown


# --- The ledger ----------------------------------------------------------------------------------------------------


@pytest.fixture
def three_days(acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime) -> None:
    """A purchase, then two hours of use on each of three days, in the ledger."""
    usage.bought(acme, "100", now=at_noon - 4 * DAY)
    for days in (3, 2, 1):
        for hours in (0, 1):
            used(key, model, at_noon - days * DAY + hours * HOUR)
            books.charged_and_posted(at_noon - days * DAY + hours * HOUR, now=at_noon - days * DAY + 3 * HOUR)


@pytest.mark.usefixtures("three_days")
def test_usage_folds_by_day_and_opens_without_script(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client)
    assert shown.count("Usage, 2 hours</a>") == 3
    assert "1 model, 1 key" in shown
    assert 'aria-expanded="true"' not in shown
    [opens] = re.findall(r'id="fold-[\d-]+" href="([^"]+)" hx-get', shown)[1:2]
    opened = page(alice_client, opens.replace("&amp;", "&"))
    assert opened.count('aria-expanded="true"') == 1
    assert "12:00–13:00" in opened
    assert opened.count('<tr class="tbl-open">') == 2


@pytest.mark.usefixtures("three_days")
def test_exact_amounts_walk_from_line_to_line(alice_client: Client, acme: Organization) -> None:
    shown = page(alice_client, "/o/acme/billing?exact=1&open=2026-04-12")
    walked = [amounts(row) for row in table_rows(shown)]
    assert walked[0] == [Decimal("-1.4"), Decimal("95.8")]
    # An open day's hours walk to the same balance as the day itself.
    days = [walked[0], walked[1], *walked[4:]]
    for (amount, balance), (_, below) in pairwise(days):
        assert balance - amount == below
    assert walked[2][1] == walked[1][1]
    assert walked[3][1] - walked[3][0] == walked[4][1]


@pytest.mark.usefixtures("three_days")
def test_a_click_in_the_ledger_brings_the_same_part_as_the_page(alice_client: Client, acme: Organization) -> None:
    for path in ("/o/acme/billing", "/o/acme/billing?kind=usage&open=2026-04-12", "/o/acme/billing?exact=1"):
        whole, part = page(alice_client, path), page(alice_client, path, **in_htmx("ledger-part"))
        assert part.startswith('<div id="ledger-part"')
        assert part in whole
        assert "<h1" not in part
    restored = page(alice_client, **in_htmx("ledger-part"), **{"HX-History-Restore-Request": "true"})
    assert "<h1>Billing</h1>" in restored


@pytest.mark.usefixtures("three_days")
def test_kinds_are_shown_alone_and_without_a_balance(alice_client: Client, acme: Organization) -> None:
    assert page(alice_client, "/o/acme/billing?kind=usage", **in_htmx("ledger-part")).count("Usage, 2 hours") == 3
    money_in = page(alice_client, "/o/acme/billing?kind=money-in", **in_htmx("ledger-part"))
    assert "Purchase" in money_in
    assert "Usage, 2 hours" not in money_in
    assert "Balance</th>" not in money_in
    assert "No lines of this kind yet." in page(alice_client, "/o/acme/billing?kind=expiry", **in_htmx("ledger-part"))


def test_older_and_newer_lead_through_all_lines_and_back(
    alice_client: Client, acme: Organization, at_noon: datetime
) -> None:
    for number in range(45):
        usage.given(acme, "1", now=at_noon - number * HOUR)

    def follow(direction: str, shown: str) -> str:
        [url] = re.findall(rf'id="{direction}" href="([^"]+)"', shown)
        return page(alice_client, url.partition("#")[0].replace("&amp;", "&"), **in_htmx("ledger-part"))

    first = page(alice_client, **in_htmx("ledger-part"))
    assert "45</data> lines since" in first
    assert 'id="newer"' not in first
    second = follow("older", first)
    third = follow("older", second)
    assert [shown.count("Welcome credit <span") for shown in (first, second, third)] == [20, 20, 5]
    assert 'id="older"' not in third
    assert table_rows(follow("newer", second)) == table_rows(first)


@pytest.mark.parametrize(
    "asked",
    ["kind=all%00", "kind=everything", "exact=yes", "open=yesterday", "open=2026-02-30", "whole=1", "before=1", "after=%27",
     "before=2026-04.99", "grants=all", "open=" + "&open=".join(["2026-04-12"] * 41)],
)  # fmt: skip
def test_words_the_page_does_not_know_are_not_found(alice_client: Client, acme: Organization, asked: str) -> None:
    assert alice_client.get(f"/o/acme/billing?{asked}").status_code == 404


def test_a_line_of_others_is_no_place_in_this_ledger(
    alice_client: Client, acme: Organization, charlie_personal: Organization, at_noon: datetime
) -> None:
    usage.bought(charlie_personal, "10", now=at_noon)
    assert alice_client.get("/o/acme/billing?before=2026-04.1").status_code == 404
    assert alice_client.get("/o/acme/billing/ledger/2026-04.1").status_code == 404


@pytest.mark.parametrize("much", [1, 4])
def test_billing_costs_the_same_for_much_and_little(
    alice_client: Client, acme: Organization, at_noon: datetime, much: int, django_assert_num_queries: Any
) -> None:
    for number in range(much):
        usage.bought(acme, "100", now=at_noon - (9 + number) * DAY)
        key = people.key(acme, f"key-{number}", now=at_noon).key
        model = catalog.model(f"model-{number}")
        for days in range(1, 2 + 2 * much):
            used(key, model, at_noon - days * DAY)
    books.charged(now=at_noon)
    books.charged(now=at_noon + HOUR)
    path = "/o/acme/billing?open=2026-04-13"
    alice_client.get(path)
    with django_assert_num_queries(27):
        alice_client.get(path)


# --- Why? ----------------------------------------------------------------------------------------------------------


def test_why_leads_from_the_line_to_the_tokens(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    usage.bought(acme, "100", now=at_noon - DAY)
    books.accepted(key, model, at_noon - 2 * HOUR, tokens_in=18_059_974, tokens_out=245_896, requests=8_819)
    books.charged_and_posted(at_noon - 2 * HOUR, now=at_noon)
    opened = page(alice_client, "/o/acme/billing?open=2026-04-14")
    [why, _] = re.findall(
        r'href="(/o/acme/billing/ledger/[^"]+)"', opened[: opened.index("Purchase", opened.index("tbl-open"))]
    )
    shown = page(alice_client, why)
    assert 'Why was I charged <data value="6.5054129" title="$6.5054129 USD exactly">$6.51</data>?' in shown
    assert "Usage of gpt-oss-120b on" in shown
    assert "Paid from 1 grant" in shown
    assert "18,059,974" in shown
    assert "8,819" in shown
    assert "It adds up" in shown
    assert shown.count('value="6.5054129"') >= 6
    assert "prod-api" in shown


def test_why_shows_the_payment_behind_a_purchase(
    alice_client: Client, acme: Organization, key: ApiKey, model: AIModel, at_noon: datetime
) -> None:
    used(key, model, at_noon - 5 * HOUR, 10_000_000)
    books.charged_and_posted(at_noon - 5 * HOUR, now=at_noon - 2 * HOUR)
    grant = usage.bought(acme, "100", now=at_noon)
    Intent.objects.filter(pk=str(grant.payment_id)).update(card_brand="visa", card_last4="4242", charge_id="ch_1")
    [purchase, _] = lines.read(acme.pk, Kind.ALL).lines
    shown = page(alice_client, f"/o/acme/billing/ledger/{purchase.newest.name}")
    assert '<h1>Purchase, <data value="100">+$100.00</data></h1>' in shown
    assert str(grant.payment_id) in shown
    assert "Visa ending 4242" in shown
    assert "14 Apr 2026, 12:41:08 UTC" in shown
    assert '<data value="3.5">$3.50</data> of it paid the overdraft first.' in shown
    assert 'Settled credit before <data value="-3.5">−$3.50</data>, after <data value="96.5">$96.50</data>.' in shown


def test_why_shows_what_a_promotion_gave_and_lost(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    flows.grant_promotional(
        acme.pk, Decimal(5), key=uuid4().hex, title="Research grant", expires_at=at_noon - 4 * DAY + HOUR, reason="why not",
        issued_by=None, now=at_noon - 5 * DAY,
    )  # fmt: skip
    flows.expire(now=at_noon)
    [expiry, promotion] = lines.read(acme.pk, Kind.ALL).lines
    shown = page(alice_client, f"/o/acme/billing/ledger/{expiry.newest.name}")
    assert 'Research grant expired, <data value="-5">−$5.00</data>' in shown
    shown = page(alice_client, f"/o/acme/billing/ledger/{promotion.newest.name}")
    assert "Promotional" in shown
    # What staff wrote for each other stays with them.
    assert "why not" not in shown


@pytest.mark.parametrize("line", ["2026-04.1", "2026-04.7", "x", "2026-04.-1", "9999-99.1"])
def test_a_line_that_is_not_there_is_not_found(alice_client: Client, acme: Organization, line: str) -> None:
    assert alice_client.get(f"/o/acme/billing/ledger/{line}").status_code == 404


def test_what_was_refunded_is_not_called_used(alice_client: Client, acme: Organization, at_noon: datetime) -> None:
    usage.bought(acme, "30", now=at_noon - timedelta(days=1))
    intent = Intent.objects.get(wallet=acme.pk)
    intent.charge_id = "ch_refunded"
    intent.save()
    told = answers.Refund("re_1", "succeeded", 20_00, "usd", "ch_refunded", str(intent.provider_id), at_noon)
    flows.refund_told(told, now=at_noon)
    credit = credits.table(acme.pk).credits[0]
    assert (credit.used, credit.back, credit.left) == (0, 20, 10)
    assert "refunded or disputed" in alice_client.get("/o/acme/billing").content.decode()

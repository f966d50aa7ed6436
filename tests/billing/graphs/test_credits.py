"""Grants as people read them: what is left adds up to what is settled."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.catalog.models import AIModel
from billing.graphs import credits
from billing.ledger import balances, expiry, wallets
from billing.ledger.models import Account
from billing.money import cents_down
from orgs.models import ApiKey, Organization
from tests.billing.graphs.conftest import NOW
from tests.factories import books, usage

HOUR = timedelta(hours=1)


def test_open_grants_stand_in_the_order_they_are_drawn(acme: Organization) -> None:
    usage.bought(acme, "100", now=NOW)
    usage.given(acme, "60", now=NOW, days=25)
    table = credits.table(acme.pk)
    assert [(one.title, one.promotional, one.left) for one in table.credits] == [
        ("Welcome credit", True, 60),
        ("Purchase", False, 100),
    ]
    assert (table.ever, table.past) == (True, 0)


def test_what_is_left_adds_up_to_what_is_settled(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.given(acme, "1.005", now=NOW - 9 * HOUR)
    usage.bought(acme, "100", now=NOW - 9 * HOUR)
    books.accepted(key, model, NOW - 5 * HOUR, tokens_in=3_333_333, tokens_out=1)
    books.charged_and_posted(NOW - 5 * HOUR, now=NOW)
    table, balance = credits.table(acme.pk), balances.of(acme.pk, now=NOW)
    assert sum(one.left for one in table.credits) + table.overdraft + table.debt == balance.settled
    shown = sum(one.left_shown for one in table.credits) + table.overdraft_shown + table.debt_shown
    assert shown == cents_down(balance.settled)
    for one in table.credits:
        assert one.used_shown + one.left_shown == one.granted


def test_overdraft_is_part_of_what_is_settled(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.bought(acme, "5", now=NOW - 9 * HOUR)
    books.accepted(key, model, NOW - 5 * HOUR, tokens_in=20_000_000, tokens_out=0)
    books.charged_and_posted(NOW - 5 * HOUR, now=NOW)
    table = credits.table(acme.pk)
    assert (table.credits, table.overdraft, table.past) == ((), Decimal(-2), 1)
    assert balances.of(acme.pk, now=NOW).settled == Decimal(-2)


def test_the_head_is_a_sum_that_holds_in_cents(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.bought(acme, "5", now=NOW - HOUR)
    books.accepted(key, model, NOW, tokens_in=1, tokens_out=0)
    books.charged(now=NOW)
    parts = credits.parts(balances.of(acme.pk, now=NOW))
    assert [(part.label, part.exactly) for part in parts] == [
        ("Settled", Decimal(5)),
        ("Accrued", Decimal("-0.00000035")),
    ]
    assert [part.cents for part in parts] == [Decimal("5.00"), Decimal("-0.01")]
    assert cents_down(balances.of(acme.pk, now=NOW).available) == Decimal("4.99")


def test_a_grant_under_dispute_is_held(acme: Organization) -> None:
    grant = usage.bought(acme, "40", now=NOW)
    Account.objects.filter(pk=grant.account_id).update(held=True)
    balance = balances.of(acme.pk, now=NOW)
    assert [part.label for part in credits.parts(balance)] == ["Settled", "Accrued", "Held"]
    assert sum(part.exactly for part in credits.parts(balance)) == balance.available == 0
    assert credits.table(acme.pk).sources(NOW) == []


def test_used_and_expired_grants_say_which_they_are(acme: Organization, key: ApiKey, model: AIModel) -> None:
    usage.given(acme, "3", now=NOW - timedelta(days=30), days=10)
    books.accepted(key, model, NOW - timedelta(days=29), tokens_in=2_000_000, tokens_out=0)
    books.charged(now=NOW - timedelta(days=28))
    wallets.lock([acme.pk])
    expiry.expire([acme.pk], now=NOW, watermark=NOW)
    [past] = credits.past(acme.pk).credits
    assert (past.granted, past.used, past.expired, past.left) == (3, Decimal("0.7"), Decimal("2.3"), 0)
    assert credits.table(acme.pk).past == 1


def test_the_table_costs_the_same_however_many_grants(acme: Organization, django_assert_num_queries: Any) -> None:
    for number in range(7):
        usage.bought(acme, "5", now=NOW - number * HOUR)
    with django_assert_num_queries(6):
        assert len(credits.table(acme.pk).credits) == 7


def test_all_used_and_expired_grants_are_there_page_by_page(acme: Organization, django_assert_num_queries: Any) -> None:
    """Two of each end, so that the cursor has to tell them apart."""
    for number in range(7):
        usage.given(acme, "1", now=NOW - timedelta(days=30), days=5 + number // 2)
    wallets.lock([acme.pk])
    expiry.expire([acme.pk], now=NOW, watermark=NOW)
    whole = credits.past(acme.pk)
    assert (len(whole.credits), whole.newer, whole.older) == (7, False, False)

    pages = [credits.past(acme.pk, size=3)]
    while pages[-1].older:
        last = credits.past_named(acme.pk, str(pages[-1].credits[-1].account_id))
        with django_assert_num_queries(4):  # a fifth where there are payments
            pages.append(credits.past(acme.pk, before=last, size=3))
    assert [len(page.credits) for page in pages] == [3, 3, 1]
    assert tuple(one for page in pages for one in page.credits) == whole.credits
    first = credits.past_named(acme.pk, str(pages[1].credits[0].account_id))
    assert credits.past(acme.pk, after=first, size=3).credits == pages[0].credits


def test_a_cursor_names_a_grant_of_which_nothing_is_left(acme: Organization, charlie_personal: Organization) -> None:
    open_ = usage.bought(acme, "5", now=NOW)
    theirs = usage.bought(charlie_personal, "5", now=NOW)
    for name in ("", "x", "-1", "٣", "9" * 30, str(open_.account_id), str(theirs.account_id)):
        assert credits.past_named(acme.pk, name) is None

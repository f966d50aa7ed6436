"""Used and expired grants on the Billing page: all of them, page by page."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.graphs.credits import PAST_SHOWN
from billing.ledger import expiry, wallets
from orgs.models import Organization
from tests.factories import usage

pytestmark = pytest.mark.django_db

PAST = "/o/acme/billing?grants=past"


@pytest.fixture
def many(acme: Organization) -> None:
    """Three more than a page holds, promotions of a month ago that nobody used."""
    now = timezone.now()
    for number in range(PAST_SHOWN + 3):
        usage.given(acme, "1", now=now - timedelta(days=30), days=1 + number // 2)
    with transaction.atomic():
        wallets.lock([acme.pk])
        expiry.expire([acme.pk], now=now, watermark=now)


def section(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    html = answer.content.decode()
    return html[html.index("Grants of which nothing is left") : html.index('id="ledger"')]


def link(shown: str, rel: str) -> str:
    before = shown[: shown.index(f'" rel="{rel}"')]
    return before.rpartition('href="')[2].partition("#")[0].replace("&amp;", "&")


def test_all_of_them_are_there(alice_client: Client, many: None) -> None:
    newest = section(alice_client, PAST)
    assert newest.count('<th scope="row">') == PAST_SHOWN
    assert f"{PAST_SHOWN + 3} used and expired grants" in newest
    with CaptureQueriesContext(connection) as first:
        section(alice_client, PAST)
    with CaptureQueriesContext(connection) as second:
        rest = section(alice_client, link(newest, "next"))
    assert rest.count('<th scope="row">') == 3
    assert len(second) == len(first) + 1, "the cursor is looked up"
    assert section(alice_client, link(rest, "prev")).count('<th scope="row">') == PAST_SHOWN


@pytest.mark.parametrize("cursor", ["x", "", "0", "-1", "٣", "9" * 30])
def test_a_cursor_that_is_none_of_theirs_is_a_404(alice_client: Client, acme: Organization, cursor: str) -> None:
    assert alice_client.get(f"{PAST}&past_before={cursor}").status_code == 404

"""Models & limits: what this organization may do now and why, and "Why 402?" for a key."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from billing.catalog.models import AIModel
from billing.ledger import grants, wallets
from billing.limits import publishing
from orgs import keys
from orgs.models import Organization, User
from tests.factories import catalog as catalogs
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def gpt(db: None) -> AIModel:
    return catalogs.model()


@pytest.fixture
def labs(alice: User, gpt: AIModel) -> Organization:
    """Alice's second Team, which has no credit."""
    return people.team(alice, "Acme Labs", slug="labs")


def give(organization: Organization, usd: str, now: datetime) -> None:
    with transaction.atomic():
        wallets.lock([organization.pk])
        end = now + timedelta(days=30)
        grants.issue_promotional(
            organization.pk, Decimal(usd), key="t", title="Hello", expires_at=end, reason="", issued_by=None, now=now
        )
        publishing.publish([organization.pk], now=now)


def page(client: Client, organization: Organization, **query: str) -> str:
    """The words of the page, without mark-up."""
    answer = client.get(f"/o/{organization.slug}/limits", query)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert not re.search(r"\sstyle=|\son[a-z]+=", html)
    text = re.sub(r"<[^>]+>", " ", html.partition("<main")[2])
    return re.sub(r"\s+", " ", text.replace("&#x27;", "'").replace("&amp;", "&"))


def test_a_team_with_credit_sees_its_limits_in_full(
    alice_client: Client, acme: Organization, gpt: AIModel, now: datetime
) -> None:
    give(acme, "173.509", now)
    text = page(alice_client, acme)
    assert "Pay as you go" in text
    assert "1,000 a minute" in text
    assert "1,000,000 a minute" in text
    assert "$0.35 in" in text
    assert "$0.75 out" in text
    assert "$173.50" in text, "a balance is rounded down"
    assert "has no credit" not in text


def test_a_team_without_credit_sees_402_and_the_way_out(alice_client: Client, acme: Organization, gpt: AIModel) -> None:
    text = page(alice_client, acme)
    assert "Acme Research has no credit. Its keys get 402" in text
    assert "402, no credit" in text
    assert "Buy credits" in text


@pytest.mark.parametrize("bob_role", ["viewer", "developer"])
def test_who_cannot_buy_is_not_offered_to(bob_client: Client, acme: Organization, gpt: AIModel) -> None:
    assert "Buy credits" not in page(bob_client, acme)


def test_a_personal_organization_sees_free_usage(
    alice_client: Client, alice_personal: Organization, gpt: AIModel
) -> None:
    text = page(alice_client, alice_personal)
    assert "Free usage" in text
    assert "10 a minute" in text
    assert "1,000,000 a day" in text


@pytest.mark.parametrize(
    ("today", "warned", "gone"),
    [
        (date(2026, 3, 28), False, False),  # 61 days before the last day is over
        (date(2026, 3, 29), True, False),
        (date(2026, 5, 27), True, False),
        (date(2026, 5, 28), False, True),
    ],
)
def test_an_end_is_announced_from_60_days_before(
    alice: User, acme: Organization, today: date, warned: bool, gone: bool
) -> None:
    catalogs.model("llama3.1-8b", deprecated_on=date(2026, 5, 27))
    with time_machine.travel(datetime(today.year, today.month, today.day, 12, tzinfo=UTC), tick=False):
        text = page(people.signed_in(alice), acme)
    assert ("llama3.1-8b ends on 27 May 2026. Requests after that get 403." in text) is warned
    assert ("1 model no longer offered" in text) is gone
    assert ("llama3.1-8b ended on 27 May 2026" in text) is gone


def test_a_coming_price_is_shown(alice_client: Client, acme: Organization, gpt: AIModel, now: datetime) -> None:
    catalogs.price(gpt, now + timedelta(days=9), input_usd="0.40", output_usd="0.80")
    text = page(alice_client, acme)
    assert "$0.35 in" in text
    assert "$0.40 in, $0.80 out" in text


def test_an_empty_catalog_says_so(alice_client: Client, acme: Organization) -> None:
    assert "No models yet." in page(alice_client, acme)


# --- Why 402? ----------------------------------------------------------------------------------------------------------


def test_credit_in_the_wrong_organization_is_found(
    alice_client: Client, acme: Organization, labs: Organization, now: datetime
) -> None:
    give(acme, "173.50", now)
    key = people.key(labs, "laptop").key
    text = page(alice_client, acme, key=key.public_id)
    assert "This key belongs to Acme Labs, which has no credit. Your credit is in Acme Research." in text
    assert "Use a key of Acme Research It has $173.50 of credit." in text
    assert "Create key there" in text
    assert "Buy credit for Acme Labs" in text
    assert "Personal organizations only, Acme Labs is a Team" in text
    assert "gpt-oss-120b 402 no_credit" in text


def test_a_key_that_works_is_said_to_work(
    alice_client: Client, acme: Organization, gpt: AIModel, now: datetime
) -> None:
    give(acme, "5.00", now)
    key = people.key(acme).key
    text = page(alice_client, acme, key=key.public_id)
    assert "This key works. It belongs to Acme Research, which has $5.00 of credit." in text
    assert "What would unblock it" not in text


def test_a_revoked_key_is_said_to_be_revoked(
    alice_client: Client, acme: Organization, gpt: AIModel, now: datetime
) -> None:
    key = people.key(acme).key
    keys.revoke(key, now)
    text = page(alice_client, acme, key=key.public_id)
    assert "This key was revoked and stays revoked." in text
    assert "Every model 401 key_revoked" in text


@pytest.mark.parametrize("asked", ["key_0000000000000000", "x" * 300, "' OR 1=1", "\x00", "<script>alert(1)</script>"])
def test_a_key_that_is_not_there(alice_client: Client, acme: Organization, asked: str) -> None:
    assert "None of your organizations has a key with this public id." in page(alice_client, acme, key=asked)


def test_a_strangers_key_is_not_there(
    alice_client: Client, acme: Organization, charlie_personal: Organization, gpt: AIModel
) -> None:
    key = people.key(charlie_personal).key
    text = page(alice_client, acme, key=key.public_id)
    assert "None of your organizations has a key with this public id." in text
    assert "Charlie" not in text


# --- Who may look ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bob_role", ["owner", "admin", "billing", "developer", "viewer"])
def test_every_member_reads_the_page(bob_client: Client, acme: Organization) -> None:
    assert bob_client.get("/o/acme/limits").status_code == 200


def test_a_stranger_finds_nothing(charlie_client: Client, client: Client, acme: Organization) -> None:
    assert charlie_client.get("/o/acme/limits").status_code == 404
    assert client.get("/o/acme/limits").status_code == 302
    assert charlie_client.post("/o/acme/limits").status_code == 405


def test_the_number_of_queries_does_not_grow(
    alice: User,
    alice_client: Client,
    acme: Organization,
    labs: Organization,
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    key = people.key(acme).key
    page(alice_client, acme, key=key.public_id)
    for n in range(5):
        catalogs.model(f"model-{n}")
        people.team(alice, f"Team {n}")
    page(alice_client, acme)
    # session, person, membership, the catalog's stamp, the memberships, the facts of all of them, the switcher
    with django_assert_num_queries(7):
        page(alice_client, acme)
    with django_assert_num_queries(8):
        page(alice_client, acme, key=key.public_id)

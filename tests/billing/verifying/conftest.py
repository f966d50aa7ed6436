"""A team and a Personal organization with a past, and the same made at random."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from billing.metering.models import Gateway
from orgs.models import ApiKey, Organization
from portal import roles
from tests.billing.verifying.activity import START, Activity
from tests.factories import catalog, usage
from tests.factories import orgs as people


@pytest.fixture
def gateway(db: None) -> Gateway:
    catalog.model()
    return usage.gateway(now=START)


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, now=START).key


@pytest.fixture
def business(key: ApiKey, alice_personal: Organization, gateway: Gateway) -> Activity:
    """Nothing has happened yet; its chance is told by the seed 7."""
    return Activity(random.Random(7), [key, people.key(alice_personal, now=START).key], gateway)


@pytest.fixture
def past(business: Activity, key: ApiKey) -> Activity:
    return with_a_past(business)


@pytest.fixture(scope="module")
def one_past(django_db_setup: None, django_db_blocker: Any) -> Iterator[Activity]:
    """The same, made once for the tests of a module, which are connected as the owner; none of them commits."""
    with django_db_blocker.unblock(), roles.as_owner(connection):
        with transaction.atomic():
            alice = people.person("alice@example.com", "Alice Archer")
            teams = people.team(alice, "Acme Research", slug="acme"), people.personal(alice)
            catalog.model()
            keys = [people.key(organization, now=START).key for organization in teams]
            yield with_a_past(Activity(random.Random(7), keys, usage.gateway(now=START)))
            transaction.set_rollback(True)


def with_a_past(business: Activity) -> Activity:
    """Acme bought and was given credit, used some of each, overdrew and paid that off, took an event back, let a grant
    expire, and has open lines now; of its payments some were refunded and some disputed, which is not all over. Alice's
    Personal organization bought once."""
    key = business.keys[0]
    business.happen(0)
    for buyer in business.keys:
        business.buy(buyer)
    business.promote(key)
    business.use(key, dollars=2)
    business.sweep(key)
    business.use(key, dollars=30)
    business.sweep(key)
    for _ in range(8):
        business.buy(key)
    money_went_back(business, key)
    business.buy(key)
    business.reverse(key)
    business.promote(key)
    business.wait(key)
    business.now += timedelta(days=4)
    business.rest()
    business.promote(key)
    business.use(key, dollars=1)
    business.use(business.keys[1], dollars=1)
    business.sweep(key)
    return business


def money_went_back(business: Activity, key: ApiKey) -> None:
    """One refund each that arrived, that failed and that is on its way; one for fraud, of the first credit, which is spent;
    a dispute that was won, one that was lost, and one that is open."""
    for status in ("succeeded", "failed", "pending"):
        business.refund(key, intent=business.buy(key), status=status)
    business.refund_elsewhere(key, intent=business.paid[0], reason="fraudulent", status="succeeded")
    business.buy(key)
    for end in ("won", "lost", ""):
        business.dispute(key, intent=business.buy(key), inquiry=False)
        if end:
            business.dispute_moves(key, status=end)

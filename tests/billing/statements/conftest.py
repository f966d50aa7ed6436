"""March 2026 of Acme Research, with every kind of movement, by hand: what the statement must say stands beside each."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from billing import flows
from billing.payments.models import Intent
from orgs.models import ApiKey, Organization, User
from tests.factories import business, catalog
from tests.factories import orgs as people

MARCH = date(2026, 3, 1)
APRIL = date(2026, 4, 1)
CLOSED = datetime(2026, 4, 1, 0, 20, tzinfo=UTC)


def at(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do, every promise of the books holds afterwards, those of statements too."""


@dataclass
class Month:
    """The month and what was bought in it."""

    org: Organization
    prod: ApiKey
    batch: ApiKey
    first: Intent
    second: Intent


@pytest.fixture
def march(db: None, acme: Organization, alice: User) -> Month:
    """It opens with 8.5000001 USD, and closes with 62.5 less what is used: see `test_drafting`."""
    return made(acme, alice)


def made(acme: Organization, alice: User) -> Month:
    catalog.model("gpt-oss-120b")  # 0.35 and 0.75 USD per million
    catalog.model("odd-one", input_usd="0.123456")
    prod, batch = people.key(acme, "prod-api", now=at(2, 1)).key, people.key(acme, "eval-batch", now=at(2, 1)).key
    first = business.bought(acme, "10.00", now=at(2, 10))
    business.used(prod, at(2, 11), tokens_in=4_285_714)  # 1.4999999
    business.closed(acme, date(2026, 2, 1), now=at(3, 1, 0, 20))

    second = business.bought(acme, "60.00", now=at(3, 2))
    business.given(acme, "5.00", now=at(3, 3), until=at(3, 6))
    # 3 M x 0.35 + 0.2 M x 0.75 = 1.20, of the promotional credit, which ends first.
    business.used(prod, at(3, 4), tokens_in=3_000_000, tokens_out=200_000)
    business.used(batch, at(3, 4), model="odd-one", tokens_in=10_000_001)  # 1.234560123456
    flows.expire(now=at(3, 10))  # what is left of 5.00 - 1.20 - 1.234560123456: 2.565439876544
    mistake = business.used(batch, at(3, 11), tokens_in=2_000_000)  # 0.70
    business.taken_back(mistake, now=at(3, 11, 12))
    business.refunded(second, "12.00", alice, now=at(3, 12))
    business.refunded(second, "3.00", alice, now=at(3, 13), status="failed")
    # Of 10.00 the bank takes what is left, 8.5000001, and what was used, which is owed now.
    business.disputed(first, "-10.00", now=at(3, 15))
    business.disputed(first, "-10.00", "10.00", now=at(3, 20), status="won")
    return Month(acme, prod, batch, first, second)


def close(month: Month, period: date = MARCH, now: datetime = CLOSED) -> None:
    business.closed(month.org, period, now=now)

"""Stories about credit that ends: what is told before, what pays for what around the minute, and what is kept for ever."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.core import mail

from billing import flows
from billing.catalog.models import AIModel
from billing.graphs import credits
from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.metering import gateways, ingest, partitions
from billing.metering.models import Gateway
from billing.notices import expiring, sending
from billing.notices.models import Notice
from orgs.models import ApiKey, Organization, User
from tests.factories import catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def model(db: None) -> AIModel:
    """One dollar per million tokens in."""
    return catalog.model("dollar-a-million", input_usd="1")


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme, "prod-api").key


def live(start: datetime, end: datetime, *, every: timedelta = 6 * HOUR) -> None:
    """What the clock does in that time, more seldom than it does it."""
    while start < end:
        flows.sweep(now=start)
        expiring.tell(now=start)
        sending.send(now=start)
        flows.expire(now=start)
        start += every


def report(key: ApiKey, at: datetime, dollars: str, *, now: datetime, complete: datetime | None = None) -> None:
    """A gateway reports use that occurred at `at` and cost so much, and through when it has told everything."""
    for day in (at, now):
        partitions.make(day)
    gateway = Gateway.objects.first() or gateways.register("eu-1", now=now)
    tokens = int(Decimal(dollars) * 1_000_000)
    event = usage.event(
        key.public_id, at, id=usage.v7(at, tokens), model="dollar-a-million", input_tokens=tokens, output_tokens=0
    )
    answer = ingest.ingest(replace(usage.batch(event), complete_through=complete), gateway_id=gateway.pk, now=now)
    assert answer.accepted == 1
    flows.sweep(now=now)


def subjects() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


def test_credit_bought_on_29_february_ends_on_28_february(acme: Organization, alice: User) -> None:
    """One calendar year later there is no such day: it ends on the last of the month, at the minute, and is told for it."""
    bought = datetime(2028, 2, 29, 10, 0, 30, tzinfo=UTC)
    usage.bought(acme, "100", now=bought)
    end = datetime(2029, 2, 28, 10, 1, tzinfo=UTC)
    (grant,) = credits.table(acme.pk).credits
    assert grant.expires_at == end

    live(datetime(2029, 1, 20, tzinfo=UTC), end + 4 * DAY)
    assert subjects() == ["$100.00 of credit expires on 28 Feb 2029, Acme Research"] * 3
    assert [notice.created_at for notice in Notice.objects.order_by("id")] == [
        datetime(2029, 1, 29, tzinfo=UTC),
        datetime(2029, 2, 21, tzinfo=UTC),
        datetime(2029, 2, 27, tzinfo=UTC),
    ]
    assert "Credit of Acme Research ends on 28 Feb 2029, 10:01 UTC." in str(mail.outbox[0].body).replace("\u00a0", " ")

    # Nobody used it: all of it is breakage, effective at its end, and the record says so for ever.
    lost = Transfer.objects.get(reason="expiry")
    assert (lost.amount, lost.effective_at) == (100, end)
    with time_machine.travel(end + 400 * DAY, tick=False):
        page = people.signed_in(alice).get("/o/acme/billing?grants=past").content.decode()
    record = page[page.index("Grants of which nothing is left") :]
    granted, used, expired = re.findall(r'<data value="([^"]+)"', record)[:3]
    assert (granted, used, expired) == ("100", "0", "100")


def test_around_the_last_minute_each_request_is_paid_by_when_it_occurred(
    acme: Organization, model: AIModel, key: ApiKey
) -> None:
    """12 seconds before the end the old credit pays, 23 seconds after it the new, though both arrive together."""
    bought = datetime(2026, 3, 10, 12, 29, 17, tzinfo=UTC)
    end = datetime(2027, 3, 10, 12, 30, tzinfo=UTC)
    usage.bought(acme, "4", now=bought)
    usage.bought(acme, "10", now=end - 100 * DAY)
    arrived = end + timedelta(seconds=25)
    flows.expire(now=end + timedelta(seconds=1))
    report(key, end - timedelta(seconds=12), "1", now=arrived)
    report(key, end + timedelta(seconds=23), "0.5", now=arrived)
    balance = balances.of(acme.pk, now=arrived)
    assert (balance.available, balance.held) == (Decimal("9.5"), Decimal(3))

    report(key, end + HOUR, "0.25", now=end + HOUR, complete=end)
    assert flows.expire(now=end + 2 * HOUR) == 1
    flows.sweep(now=end + 3 * HOUR)
    (old,) = credits.past(acme.pk).credits
    assert (old.granted, old.used, old.expired, old.back) == (4, 1, 3, 0)
    (new,) = credits.table(acme.pk).credits
    assert (new.left, new.used) == (Decimal("9.25"), Decimal("0.75"))


def test_late_use_draws_on_credit_that_has_ended_until_its_end_is_complete(
    acme: Organization, model: AIModel, key: ApiKey
) -> None:
    """A gateway was cut off over the end. What it reports two days later still finds the credit; what comes after the rest
    has moved draws on what is live. No mail is sent about any of it beyond the three that were due."""
    end = datetime(2027, 3, 10, 12, 30, tzinfo=UTC)
    usage.bought(acme, "20", now=datetime(2026, 3, 10, 12, 29, 17, tzinfo=UTC))
    usage.bought(acme, "50", now=end - 200 * DAY)
    report(key, end - 60 * DAY, "5.5", now=end - 60 * DAY)
    live(end - 31 * DAY, end)
    assert subjects() == ["$14.50 of credit expires on 10 Mar 2027, Acme Research"] * 3

    report(key, end - 3 * HOUR, "2.25", now=end + 47 * HOUR)
    live(end + 47 * HOUR, end + 71 * HOUR)
    assert balances.of(acme.pk, now=end + 71 * HOUR).held == Decimal("12.25")
    live(end + 71 * HOUR, end + 75 * HOUR, every=HOUR)
    report(key, end - 2 * HOUR, "1", now=end + 80 * HOUR)
    live(end + 80 * HOUR, end + 90 * HOUR)
    flows.sweep(now=end + 90 * HOUR)

    (old,) = credits.past(acme.pk).credits
    assert (old.granted, old.used, old.expired, old.back) == (20, Decimal("7.75"), Decimal("12.25"), 0)
    (new,) = credits.table(acme.pk).credits
    assert (new.granted, new.left) == (50, 49)
    assert Transfer.objects.filter(reason="expiry").count() == 1
    assert len(mail.outbox) == 3


def test_each_grant_keeps_its_own_record_whatever_else_there_is(
    acme: Organization, model: AIModel, key: ApiKey
) -> None:
    """Granted = used + expired + taken back, grant by grant, with promotional and paid credit side by side."""
    start = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    usage.given(acme, "3", now=start, days=40)
    usage.given(acme, "2", now=start, days=40)
    usage.bought(acme, "10", now=start)
    report(key, start + DAY, "3.5", now=start + DAY)
    live(start + 9 * DAY, start + 44 * DAY)
    # One mail for the two of one day, with what was left of the one that still had something.
    assert subjects() == ["$1.50 of credit expires on 19 Apr 2026, Acme Research"] * 3
    records = [(one.granted, one.used, one.expired, one.back) for one in credits.past(acme.pk).credits]
    assert sorted(records) == [(2, Decimal("0.5"), Decimal("1.5"), 0), (3, 3, 0, 0)]
    assert [one.left for one in credits.table(acme.pk).credits] == [10]

"""The life of an account, event by event, through the functions that everything else calls."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import flows, tasks
from billing.catalog.models import AIModel
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger import balances
from billing.ledger.models import Transfer
from billing.limits.models import LimitsAnswer
from billing.metering import gateways, ingest
from billing.metering.models import SweepRun, UsageEvent
from orgs.models import ApiKey, Organization
from tests.factories import catalog, usage
from tests.factories import orgs as people

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_are_right")]

NOW = datetime.now(UTC).replace(second=17, microsecond=0)
END = NOW.replace(second=0) + timedelta(hours=3)
"""Later than any run of all tests lasts: accounts are opened by the clock of PostgreSQL, at the time of the test."""


@pytest.fixture
def model() -> AIModel:
    usage.days(NOW)
    return catalog.model()


@pytest.fixture
def personal(alice_personal: Organization, model: AIModel) -> Organization:
    """Alice's Personal organization, with 4.00 that end in three hours."""
    flows.grant_promotional(
        alice_personal.pk, Decimal(4), key="hello", title="Hello", expires_at=END, reason="hello", issued_by=None, now=NOW
    )  # fmt: skip
    return alice_personal


@pytest.fixture
def key(personal: Organization) -> ApiKey:
    return people.key(personal, now=NOW).key


def report(key: ApiKey, *times: datetime, now: datetime, complete: datetime | None = None) -> None:
    """A gateway reports requests of these instants (each 0.000425 USD), and through when it has told everything."""
    gateway = gateways.register("eu-1", now=NOW)
    batch = replace(usage.batch(*(usage.event(key.public_id, at) for at in times)), complete_through=complete)
    ingest.ingest(batch, gateway_id=gateway.pk, now=now)
    flows.sweep(now=now)


def payer(organization: Organization) -> Payer:
    return Payer(PayerBase.objects.get(wallet=organization.pk).payer)


def test_credit_opens_limits_and_its_end_closes_them(personal: Organization) -> None:
    assert (payer(personal), LimitsAnswer.objects.get(org_id=personal.pk).open) == (Payer.CREDITS, True)
    before = LimitsAnswer.objects.get(org_id=personal.pk).version

    flows.expire(now=END)
    answer = LimitsAnswer.objects.get(org_id=personal.pk)
    assert (payer(personal), answer.open) == (Payer.FREE, False)
    assert answer.version > before
    assert Coverage.objects.filter(wallet=personal.pk).latest("valid_to").payer == Payer.CREDITS

    flows.expire(now=END + timedelta(minutes=1))
    assert LimitsAnswer.objects.get(org_id=personal.pk).version == answer.version


def test_usage_around_the_end_is_judged_by_when_it_occurred(personal: Organization, key: ApiKey) -> None:
    flows.expire(now=END + timedelta(seconds=1))
    report(key, END - timedelta(seconds=12), END + timedelta(seconds=23), now=END + timedelta(seconds=25))

    events = dict(UsageEvent.objects.values_list("occurred_at", "payer"))
    assert events == {END - timedelta(seconds=12): Payer.CREDITS, END + timedelta(seconds=23): Payer.FREE}
    assert balances.of(personal.pk, now=END + timedelta(seconds=25)).held == Decimal("4") - Decimal("0.000425")


def test_the_rest_moves_away_once_when_the_watermark_has_passed_the_end(personal: Organization, key: ApiKey) -> None:
    report(key, NOW, now=NOW, complete=NOW)
    later = END + timedelta(minutes=2)
    assert flows.expire(now=later) == 0

    report(key, now=later, complete=END)
    assert [flows.expire(now=later), flows.expire(now=later)] == [1, 0]
    expired = Transfer.objects.get(reason="expiry")
    assert (expired.amount, expired.effective_at) == (Decimal("4") - Decimal("0.000425"), END)
    assert balances.of(personal.pk, now=later).settled == 0


def test_what_was_accepted_and_not_yet_charged_is_charged_before_the_rest_moves(
    personal: Organization, key: ApiKey
) -> None:
    gateway = gateways.register("eu-1", now=NOW)
    batch = replace(usage.batch(usage.event(key.public_id, END - timedelta(minutes=1))), complete_through=END)
    ingest.ingest(batch, gateway_id=gateway.pk, now=END)

    flows.expire(now=END + timedelta(seconds=1))
    assert Transfer.objects.get(reason="expiry").amount == Decimal("4") - Decimal("0.000425")
    assert Transfer.objects.get(reason="usage").amount == Decimal("0.000425")


def test_every_task_may_run_twice_and_changes_nothing(personal: Organization, key: ApiKey) -> None:
    report(key, NOW, now=NOW, complete=NOW)
    before = (
        Transfer.objects.count(),
        balances.of(personal.pk, now=NOW),
        LimitsAnswer.objects.get(org_id=personal.pk).version,
    )
    for task in (
        tasks.sweep_usage, tasks.make_partitions, tasks.process_inbox, tasks.poll_payments, tasks.expire_grants,
    ) * 2:  # fmt: skip
        task()
    after = (
        Transfer.objects.count(),
        balances.of(personal.pk, now=NOW),
        LimitsAnswer.objects.get(org_id=personal.pk).version,
    )
    assert after == before
    assert SweepRun.objects.count() >= 2

"""A version moves when the answer does and only then; who pays is written down with it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction

from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger import wallets
from billing.limits import feed, publishing, resolved
from billing.limits.models import LimitsAnswer
from billing.metering import gateways
from billing.metering.models import AllowanceDay, KeySpend
from orgs import keys
from orgs.models import ApiKey
from tests.billing.limits.conftest import Acme, acme_of
from tests.factories import catalog as catalogs
from tests.factories import orgs as people


def version(org_id: int) -> int:
    return LimitsAnswer.objects.get(org_id=org_id).version


def publish(org_id: int, now: datetime) -> list[int]:
    with transaction.atomic():
        return publishing.publish([org_id], now=now)


@pytest.mark.django_db
def test_credit_opens_once(team: Acme, now: datetime) -> None:
    before = version(team.id)
    team.give("5.00")
    opened = version(team.id)
    assert opened > before
    team.give("6.00")
    assert publish(team.id, now) == []
    assert version(team.id) == opened


@pytest.mark.django_db
def test_an_organization_without_anything_is_no_news(team: Acme, now: datetime) -> None:
    before = version(team.id)
    assert publish(team.id, now) == []
    assert version(team.id) == before


@pytest.mark.django_db
def test_credit_that_ended_closes_once(team: Acme, now: datetime) -> None:
    team.give("5.00", expires_at=now + timedelta(hours=1))
    later = now + timedelta(hours=2)
    assert publish(team.id, later) == [team.id]
    assert publish(team.id, later) == []
    assert not LimitsAnswer.objects.get(org_id=team.id).open


@pytest.mark.django_db
def test_a_personal_organization_pays_from_the_moment_it_has_credit(personal: Acme, now: datetime) -> None:
    assert PayerBase.objects.get(wallet_id=personal.id).payer == Payer.FREE
    PayerBase.objects.filter(wallet_id=personal.id).update(since=now - timedelta(days=1))
    personal.give("5.00", expires_at=now + timedelta(hours=1))
    assert PayerBase.objects.get(wallet_id=personal.id).payer == Payer.CREDITS
    publish(personal.id, now + timedelta(hours=2))
    base = PayerBase.objects.get(wallet_id=personal.id)
    assert base.payer == Payer.FREE
    spans = Coverage.objects.filter(wallet_id=personal.id).order_by("valid_from")
    assert [(span.model_id, span.payer) for span in spans] == [(0, Payer.FREE), (0, Payer.CREDITS)]
    assert spans[0].valid_to == spans[1].valid_from == now
    assert spans[1].valid_to == base.since


@pytest.mark.django_db
def test_a_team_and_a_marketplace_customer_keep_their_base_payer(team: Acme, personal: Acme, now: datetime) -> None:
    team.give("5.00")
    assert PayerBase.objects.get(wallet_id=team.id).payer == Payer.CREDITS
    PayerBase.objects.filter(wallet_id=personal.id).update(payer=Payer.MARKETPLACE)
    personal.give("5.00")
    assert PayerBase.objects.get(wallet_id=personal.id).payer == Payer.MARKETPLACE


@pytest.mark.django_db
def test_a_cap_that_is_reached_is_news_each_month(team: Acme, now: datetime) -> None:
    team.give("5.00", expires_at=now + timedelta(days=90))
    ApiKey.objects.update(cap_usd=Decimal(2))
    KeySpend.objects.create(key_id=team.key.key.pk, month=now.date().replace(day=1), spent=Decimal("1.99"))
    assert publish(team.id, now) == []
    KeySpend.objects.update(spent=Decimal(2))
    assert publish(team.id, now) == [team.id]
    assert publish(team.id, now) == []
    next_month = (now.replace(day=1) + timedelta(days=33)).replace(day=2)
    KeySpend.objects.create(key_id=team.key.key.pk, month=next_month.date().replace(day=1), spent=Decimal(3))
    assert publish(team.id, next_month) == [team.id]


@pytest.mark.django_db
def test_an_allowance_that_is_used_up_is_news(team: Acme, now: datetime) -> None:
    plan = catalogs.plan(catalogs.model("zai-glm-4.7"), daily_tokens=100)
    cover = Coverage.objects.create(
        wallet_id=team.id,
        model_id=plan.covers.get().pk,
        payer=Payer.SUBSCRIPTION,
        source_id=plan.pk,
        valid_from=now - timedelta(days=3),
        valid_to=now + timedelta(days=3),
    )
    PayerBase.objects.filter(wallet_id=team.id).update(covered=True)
    used = AllowanceDay.objects.create(org_id=team.id, day=now.date(), coverage_id=cover.pk, tokens=99)
    assert publish(team.id, now) == [team.id], "that a plan covers, and until when, is news"
    assert publish(team.id, now) == []
    AllowanceDay.objects.filter(pk=used.pk).update(tokens=100)
    assert publish(team.id, now) == [team.id]


@pytest.mark.django_db
def test_making_and_revoking_a_key_is_news(team: Acme, now: datetime) -> None:
    before = version(team.id)
    key = people.key(team.organization, "second").key
    made = version(team.id)
    keys.revoke(key, now)
    assert before < made < version(team.id)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    assert version(team.id) == made + 1


@pytest.mark.django_db
def test_publishing_nothing_and_the_unknown(now: datetime) -> None:
    with transaction.atomic():
        assert publishing.publish([], now=now) == []
        assert publishing.publish([987_654_321], now=now) == []


# --- The feed under fire -----------------------------------------------------------------------------------------------

WRITERS, ROUNDS = 4, 25


@pytest.mark.django_db(transaction=True)
def test_a_reader_of_the_feed_never_misses_a_change(now: datetime) -> None:
    """Writers commit in any order on connections of their own while a gateway reads on; each last state arrives."""
    catalogs.model()
    alice = people.person("alice@example.com")
    gateway = gateways.register("eu-1", now=now)
    teams = [acme_of(people.team(alice, f"Team {n}"), now) for n in range(WRITERS * 3)]
    # Before and after the credit's end: published at one and then at the other, the answer changes each time.
    moments = (now + timedelta(hours=2), now)
    for each in teams:
        each.give("5.00", expires_at=now + timedelta(hours=1))
        resolved.remember(gateway.id, each.key.key.pk, each.key.key.public_id, now=now)
    cursor = feed.start(now=now).cursor
    heard: dict[str, int] = {}
    done = threading.Event()

    def listen() -> None:
        nonlocal cursor
        try:
            while True:
                last_round = done.is_set()
                page = feed.since(cursor, gateway.id, now=now, limit=3)
                cursor = page.cursor
                heard.update({answer.key: answer.version for answer in page.changes})
                if last_round and not page.more:
                    return
        finally:
            connections.close_all()

    def write(mine: list[Acme]) -> Callable[[], None]:
        def run() -> None:
            try:
                for round_ in range(ROUNDS):
                    for each in mine:
                        with transaction.atomic():
                            wallets.lock([each.id])
                            assert publishing.publish([each.id], now=moments[round_ % 2]) == [each.id]
            finally:
                connections.close_all()

        return run

    reader = threading.Thread(target=listen)
    writers = [threading.Thread(target=write(teams[n::WRITERS])) for n in range(WRITERS)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert heard == {each.key.key.public_id: version(each.id) for each in teams}


@pytest.mark.django_db(transaction=True)
def test_key_makers_and_publishers_never_wait_for_each_other_in_a_circle(now: datetime) -> None:
    """A new key takes clock and answer by its trigger, a publisher by its call: in the same order, so nobody deadlocks."""
    catalogs.model()
    alice = people.person("alice@example.com")
    team = acme_of(people.team(alice, "Acme"), now)
    failures: list[Exception] = []

    def run(step: Callable[[int], None]) -> None:
        try:
            for n in range(30):
                step(n)
        except Exception as failure:  # the assertion below shows it
            failures.append(failure)
        finally:
            connections.close_all()

    def publish_news(n: int) -> None:
        with transaction.atomic():
            wallets.lock([team.id])
            with connection.cursor() as cursor:
                cursor.execute("SELECT limits_touch(%s::bigint[])", [[team.id]])
            publishing.publish([team.id], now=now)

    threads = [
        threading.Thread(target=run, args=(lambda n: void(people.key(team.organization, f"a {n}")),)),
        threading.Thread(target=run, args=(lambda n: void(people.key(team.organization, f"b {n}")),)),
        threading.Thread(target=run, args=(publish_news,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def void(_: object) -> None:
    """A step has nothing to answer."""

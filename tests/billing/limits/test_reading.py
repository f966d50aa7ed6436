"""The hot read sees the balance of this moment and everything else an answer depends on."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger import balances
from billing.ledger.models import Account
from billing.limits import entitlements, reading
from billing.limits.answers import Reason
from billing.limits.models import LimitsAnswer
from billing.metering.models import AllowanceDay, KeySpend
from orgs import keys
from orgs.models import Organization
from tests.billing.limits.conftest import Acme
from tests.factories import catalog as catalogs

pytestmark = pytest.mark.django_db


def test_an_unknown_hash_is_nobodys(now: datetime) -> None:
    assert reading.by_hash(bytes(32), now=now) is None


def test_a_team_is_closed_until_it_has_credit(team: Acme) -> None:
    assert [model.reason for model in team.ask().models] == [Reason.NO_CREDIT]
    assert "Acme Research, which has no credit" in (team.ask().models[0].remedy or "")
    team.give("5.00")
    told = team.ask()
    assert (told.models[0].http_status, told.models[0].limits.requests_per_minute) == (200, 1_000)


def test_a_personal_organization_is_free_until_it_has_credit(personal: Acme) -> None:
    assert personal.ask().models[0].tier == "free"
    personal.give("5.00")
    assert personal.ask().models[0].tier == "payg"


def test_credit_ends_with_its_grant_though_no_task_has_run(team: Acme, now: datetime) -> None:
    end = (now + timedelta(minutes=3)).replace(second=0)
    team.give("5.00", expires_at=end)
    before = team.ask(end - timedelta(seconds=3))
    assert (before.models[0].http_status, before.valid_until) == (200, end)
    assert team.ask(end).models[0].reason == Reason.NO_CREDIT


def test_held_credit_is_not_available(team: Acme, now: datetime) -> None:
    team.give("5.00")
    Account.objects.filter(wallet_id=team.id, granted__isnull=False).update(held=True)
    assert balances.of(team.id, now=now).available == 0
    assert team.ask().models[0].reason == Reason.NO_CREDIT


def test_a_cap_counts_the_month(team: Acme, now: datetime) -> None:
    team.give("5.00")
    type(team.key.key).objects.filter(pk=team.key.key.pk).update(cap_usd=Decimal(2))
    assert team.ask().models[0].http_status == 200
    KeySpend.objects.create(key_id=team.key.key.pk, month=now.date().replace(day=1), spent=Decimal(2))
    assert team.ask().models[0].reason == Reason.KEY_CAP
    next_month = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)
    team.give("7.00", expires_at=next_month + timedelta(days=60))
    assert team.ask(next_month).models[0].http_status == 200


def test_cover_and_its_allowance_are_read_only_where_there_is_cover(team: Acme, now: datetime) -> None:
    plan = catalogs.plan(catalogs.model("zai-glm-4.7"), daily_tokens=100)
    cover = Coverage.objects.create(
        wallet_id=team.id,
        model_id=plan.covers.get().pk,
        payer=Payer.SUBSCRIPTION,
        source_id=plan.pk,
        valid_from=now - timedelta(days=3),
        valid_to=now + timedelta(days=3),
    )
    assert [model.reason for model in team.ask().models] == [Reason.NO_CREDIT, Reason.NO_CREDIT]
    PayerBase.objects.filter(wallet_id=team.id).update(covered=True)
    gpt, glm = team.ask().models
    assert (gpt.reason, glm.tier) == (Reason.NO_CREDIT, "plan:code-pro")
    AllowanceDay.objects.create(org_id=team.id, day=now.date(), coverage_id=cover.pk, tokens=100)
    gpt, glm = team.ask().models
    assert (glm.http_status, glm.reason) == (429, Reason.DAILY_ALLOWANCE)
    assert glm.allowance is not None
    assert (glm.allowance.limit, glm.allowance.used) == (100, 100)


def test_a_revoked_key_and_one_of_a_gone_time(team: Acme, now: datetime) -> None:
    keys.revoke(team.key.key, now)
    assert (team.ask().http_status, team.ask().reason) == (401, Reason.KEY_REVOKED)


def test_an_answer_is_kept_two_seconds_also_a_no(team: Acme, now: datetime) -> None:
    digest = bytes(team.key.key.hash)
    assert reading.by_hash(digest, now=now).answer.models[0].http_status == 402  # type: ignore[union-attr]
    team.give("5.00")
    assert reading.by_hash(digest, now=now).answer.models[0].http_status == 402  # type: ignore[union-attr]
    later = now + reading.KEPT_FOR
    assert reading.by_hash(digest, now=later).answer.models[0].http_status == 200  # type: ignore[union-attr]


def test_nothing_is_kept_beyond_its_boundary(team: Acme, now: datetime) -> None:
    type(team.key.key).objects.filter(pk=team.key.key.pk).update(expires_at=now + timedelta(seconds=1))
    digest = bytes(team.key.key.hash)
    assert reading.by_hash(digest, now=now).answer.http_status == 200  # type: ignore[union-attr]
    assert reading.by_hash(digest, now=now + timedelta(seconds=1)).answer.http_status == 401  # type: ignore[union-attr]


def test_what_is_kept_has_a_bound(team: Acme, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_KEPT", 3)
    for n in range(10):
        reading.by_hash(bytes([n] * 32), now=now)
        assert len(reading._kept) <= 3


def test_the_version_is_the_one_last_told(team: Acme) -> None:
    before = team.ask().version
    team.give("5.00")
    assert team.ask().version == LimitsAnswer.objects.get(org_id=team.id).version > before


def test_many_keys_in_one_read(team: Acme, personal: Acme, now: datetime) -> None:
    team.give("5.00")
    told = reading.of_keys([team.key.key.pk, personal.key.key.pk], now=now)
    assert {key: each.answer.models[0].tier for key, each in told.items()} == {
        team.key.key.pk: "payg",
        personal.key.key.pk: "free",
    }
    assert reading.of_keys([], now=now) == {}


def test_limits_and_the_ledger_mean_the_same_balance(team: Acme, acme: Organization, now: datetime) -> None:
    team.give("5.00")
    team.give("3.00", expires_at=now + timedelta(days=2))
    for at in (now, now + timedelta(days=3), now + timedelta(days=40)):
        with connection.cursor() as cursor:
            place: dict[str, Any] = {"now": at, "day": at, "month": at.date(), "hash": bytes(team.key.key.hash)}
            cursor.execute(reading.BY_HASH, place)
            available = reading.picture(list(cursor.fetchone()[1:-3])).available
        assert available == balances.of(acme.pk, now=at).available
        expected = "payg" if available > 0 else None
        assert team.ask(at).models[0].tier == expected


def test_the_index_carries_the_read(team: Acme, now: datetime) -> None:
    """No table that grows with customers is scanned from end to end."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        place: dict[str, Any] = {"now": now, "day": now, "month": now.date(), "hash": bytes(32)}
        cursor.execute("EXPLAIN " + reading.BY_HASH, place)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    for table in ("api_key", "wallet", "payer_base", "account", "coverage", "key_spend", "organization"):
        assert f"Seq Scan on {table}" not in plan, plan


def test_ten_seconds_is_the_promise() -> None:
    """Sweep interval, cache and time to live together stay far below the five minutes of an outage."""
    assert reading.KEPT_FOR + entitlements.TTL < entitlements.STALE


def test_the_read_is_prepared_and_nothing_else_is(team: Acme, now: datetime) -> None:
    team.ask()
    team.ask()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s", ["%api_key k%"])
        assert len(cursor.fetchall()) == 1
    assert connection.connection.prepare_threshold is None

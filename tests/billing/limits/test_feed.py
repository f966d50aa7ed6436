"""The change feed: at least once, coalesced, bounded pages, and only for keys the gateway has shown."""

import base64
from datetime import datetime, timedelta

import pytest

from billing.catalog.models import AIModel
from billing.limits import feed, resolved
from billing.limits.answers import Reason
from billing.limits.models import LimitsResolved
from billing.metering import gateways
from billing.metering.models import Gateway
from orgs import keys
from orgs.models import ApiKey
from tests.billing.limits.conftest import Acme
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db


@pytest.fixture
def cursor(gateway: Gateway, team: Acme, now: datetime) -> feed.Cursor:
    """The gateway has resolved the team's key and begins to listen."""
    resolved.remember(gateway.id, team.key.key.pk, team.key.key.public_id, now=now)
    return feed.start(now=now).cursor


def test_nothing_new_moves_the_cursor_all_the_same(cursor: feed.Cursor, gateway: Gateway, now: datetime) -> None:
    later = now + timedelta(hours=20)
    page = feed.since(cursor, gateway.id, now=later)
    assert (page.changes, page.more, page.everything) == ([], False, False)
    assert page.cursor.issued_at == later
    assert feed.since(page.cursor, gateway.id, now=later + timedelta(hours=20)).changes == []


def test_a_change_comes_once_with_the_full_answer(
    cursor: feed.Cursor, gateway: Gateway, team: Acme, now: datetime
) -> None:
    team.give("5.00")
    team.give("7.00")
    people.key(team.organization, "another, which moves the version")
    page = feed.since(feed.parse(str(cursor)), gateway.id, now=now)
    assert [answer.key for answer in page.changes] == [team.key.key.public_id]
    assert page.changes[0].models[0].tier == "payg"
    assert page.changes[0].version == team.ask().version
    assert feed.since(feed.parse(str(page.cursor)), gateway.id, now=now).changes == []


def test_a_revoked_key_is_told_as_401(cursor: feed.Cursor, gateway: Gateway, team: Acme, now: datetime) -> None:
    keys.revoke(team.key.key, now)
    answer = feed.since(cursor, gateway.id, now=now).changes[0]
    assert (answer.http_status, answer.reason, answer.models) == (401, Reason.KEY_REVOKED, [])


def test_a_gateway_hears_only_of_keys_it_has_shown(cursor: feed.Cursor, team: Acme, now: datetime) -> None:
    other = gateways.register("us-1", now=now)
    team.give("5.00")
    assert feed.since(cursor, other.id, now=now).changes == []


def test_pages_are_bounded_and_lose_nothing(cursor: feed.Cursor, gateway: Gateway, team: Acme, now: datetime) -> None:
    for n in range(6):
        key = people.key(team.organization, f"key {n}").key
        resolved.remember(gateway.id, key.pk, key.public_id, now=now)
    team.give("5.00")
    heard: list[str] = []
    page = feed.since(cursor, gateway.id, now=now, limit=3)
    while True:
        assert len(page.changes) <= 3
        heard += [answer.key for answer in page.changes]
        if not page.more:
            break
        page = feed.since(feed.parse(str(page.cursor)), gateway.id, now=now, limit=3)
    assert sorted(heard) == sorted(ApiKey.objects.values_list("public_id", flat=True))


def test_a_change_of_the_catalog_changes_everything(cursor: feed.Cursor, gateway: Gateway, now: datetime) -> None:
    AIModel.objects.update(name="Renamed")
    page = feed.since(cursor, gateway.id, now=now)
    assert page.everything
    assert not feed.since(page.cursor, gateway.id, now=now).everything


def test_a_cursor_lasts_a_day(cursor: feed.Cursor, gateway: Gateway, now: datetime) -> None:
    assert feed.since(cursor, gateway.id, now=now + feed.CURSOR_LASTS).changes == []
    with pytest.raises(feed.CursorExpired):
        feed.since(cursor, gateway.id, now=now + feed.CURSOR_LASTS + timedelta(seconds=1))


def test_a_cursor_from_before_a_restore_starts_anew(cursor: feed.Cursor, gateway: Gateway, now: datetime) -> None:
    with pytest.raises(feed.CursorExpired):
        feed.since(feed.Cursor(cursor.version + 1, 0, now), gateway.id, now=now)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


NO_CURSORS = ["", "x", "....", "é", "1.2.3", "A" * 5000, "MS4yLjM\x00", "MS 4yLjM"]
NEARLY = [encoded(text) for text in ("1.2", "-1.2.3", "a.b.c", "1.2.3.4", "1.2.3\n", f"1.{2**63}.3", "٣.2.1")]


@pytest.mark.parametrize("text", [*NO_CURSORS, *NEARLY])
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(feed.CursorMalformed):
        feed.parse(text)


def test_a_pair_is_remembered_once(gateway: Gateway, team: Acme, now: datetime) -> None:
    public_id = team.key.key.public_id
    assert not resolved.is_resolved(gateway.id, public_id)
    for _ in range(2):
        resolved.remember(gateway.id, team.key.key.pk, public_id, now=now)
        resolved.forget()
    assert LimitsResolved.objects.count() == 1
    assert resolved.is_resolved(gateway.id, public_id)
    assert not resolved.is_resolved(gateway.id + 1, public_id)


def test_last_use_is_written_once_a_minute(team: Acme, now: datetime) -> None:
    def used(at: datetime) -> datetime | None:
        key = ApiKey.objects.get(pk=team.key.key.pk)
        resolved.used(key.pk, key.last_used_at, now=at)
        return ApiKey.objects.get(pk=key.pk).last_used_at

    assert used(now) == now
    assert used(now + timedelta(seconds=59)) == now
    assert used(now + timedelta(seconds=61)) == now + timedelta(seconds=61)

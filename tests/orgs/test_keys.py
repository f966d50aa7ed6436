"""API keys below the pages: making, finding, revoking."""

import hashlib
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orgs import keys
from orgs.models import ApiKey, Organization, User
from tests.factories import orgs as people

NOW = timezone.now()
pytestmark = pytest.mark.django_db


def test_a_key_is_its_label_and_32_random_bytes(acme: Organization, alice: User) -> None:
    made = keys.create(acme, alice, "ci", None, None, NOW)
    assert re.fullmatch(r"sk-purser-[A-Za-z0-9_-]{43}", made.secret)
    assert re.fullmatch(r"key_[0-9a-f]{16}", made.key.public_id)
    assert made.secret != keys.create(acme, alice, "ci", None, None, NOW).secret


def test_stored_are_the_hash_and_both_ends_never_the_secret(acme: Organization, alice: User) -> None:
    made = keys.create(acme, alice, "ci", NOW + timedelta(days=1), Decimal("50"), NOW)
    stored = ApiKey.objects.get()
    assert bytes(stored.hash) == hashlib.sha256(made.secret.encode()).digest()
    assert (stored.prefix, stored.last4) == (made.secret[:12], made.secret[-4:])
    assert (stored.created_by, stored.created_at, stored.cap_usd) == (alice, NOW, Decimal("50"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key::text FROM api_key")
        assert made.secret[12:-4] not in cursor.fetchone()[0]


def test_the_secret_is_in_no_repr(acme: Organization) -> None:
    made = people.key(acme)
    assert made.secret not in f"{made!r} {made} {made.key!r} {made.key}"


def test_found_by_its_secret_and_by_nothing_else(acme: Organization) -> None:
    made = people.key(acme)
    assert keys.by_secret(made.secret) == made.key
    for wrong in (
        "",
        made.key.public_id,
        made.key.prefix + made.key.last4,
        made.secret[:-1],
        made.secret + " ",
        made.secret.upper(),
        "sk-purser-\udcff",
        "\x00" + made.secret,
        "x" * 100_000,
    ):
        assert keys.by_secret(wrong) is None


@pytest.mark.parametrize("known", [True, False])
def test_looking_costs_the_same_whether_the_key_is_known_or_not(acme: Organization, known: bool) -> None:
    made = people.key(acme)
    with CaptureQueriesContext(connection) as queries:
        keys.by_secret(made.secret if known else "sk-purser-nobody")
    assert len(queries) == 1


def test_an_expired_or_revoked_key_is_found_but_not_live(acme: Organization) -> None:
    made = people.key(acme, expires_at=NOW + timedelta(hours=1), now=NOW)
    key = keys.by_secret(made.secret)
    assert key is not None
    assert keys.is_live(key, NOW + timedelta(minutes=59, seconds=59))
    assert not keys.is_live(key, NOW + timedelta(hours=1))
    keys.revoke(key, NOW)
    assert not keys.is_live(key, NOW)


def test_states_for_people(acme: Organization) -> None:
    key = people.key(acme, expires_at=NOW + timedelta(hours=1), now=NOW).key
    assert keys.state(key, NOW) == keys.State.NEW
    key.last_used_at = NOW
    assert keys.state(key, NOW) == keys.State.ACTIVE
    assert keys.state(key, NOW + timedelta(hours=2)) == keys.State.EXPIRED
    keys.revoke(key, NOW)
    assert keys.state(key, NOW + timedelta(hours=2)) == keys.State.REVOKED


def test_revoking_again_keeps_the_first_moment(acme: Organization) -> None:
    key = people.key(acme).key
    stale = ApiKey.objects.get(pk=key.pk)
    keys.revoke(key, NOW)
    keys.revoke(stale, NOW + timedelta(days=1))
    assert key.revoked_at == stale.revoked_at == ApiKey.objects.get(pk=key.pk).revoked_at == NOW


def test_the_database_lets_no_revoked_key_come_back(acme: Organization) -> None:
    key = people.key(acme).key
    keys.revoke(key, NOW)
    with pytest.raises(IntegrityError, match="stays revoked"), transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=None)


def test_a_key_does_not_begin_expired(acme: Organization, alice: User) -> None:
    with pytest.raises(keys.ExpiresInThePast):
        keys.create(acme, alice, "ci", NOW, None, NOW)
    assert not ApiKey.objects.exists()


def test_at_most_a_hundred_that_work(acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys.MAX_LIVE_KEYS == 100
    monkeypatch.setattr(keys, "MAX_LIVE_KEYS", 3)
    first = people.key(acme, now=NOW).key
    people.key(acme, expires_at=NOW + timedelta(seconds=1), now=NOW)
    people.key(acme, now=NOW)
    with pytest.raises(keys.TooManyKeys, match="at most 3"):
        people.key(acme, now=NOW)
    # Expired and revoked ones do not count, nor do those of others.
    people.key(acme, now=NOW + timedelta(seconds=1))
    keys.revoke(first, NOW)
    people.key(acme, now=NOW + timedelta(seconds=1))
    people.key(people.personal(alice), now=NOW)


def test_a_form_sent_twice_makes_one_key(acme: Organization, alice_personal: Organization) -> None:
    made = keys.create(acme, None, "ci", None, None, NOW, once="token-of-a-form")
    with pytest.raises(keys.AlreadyMade) as refusal:
        keys.create(acme, None, "ci", None, None, NOW, once="token-of-a-form")
    assert refusal.value.key == made.key
    assert acme.api_keys.count() == 1
    # The token says nothing in another organization.
    assert keys.create(alice_personal, None, "ci", None, None, NOW, once="token-of-a-form").key != made.key


def test_what_looks_like_a_secret_is_recognized(acme: Organization) -> None:
    made = people.key(acme)
    assert keys.SECRET_IN_TEXT.search(f"key={made.secret};")
    assert not keys.SECRET_IN_TEXT.search(made.key.public_id)
    assert not keys.SECRET_IN_TEXT.search(f"{made.key.prefix}…{made.key.last4}")


@pytest.mark.parametrize("cap", ["0", "-1", "NaN", "10000000000000"])
def test_the_database_refuses_a_cap_that_is_no_amount(acme: Organization, cap: str) -> None:
    key = people.key(acme).key
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE api_key SET cap_usd = '{cap}'::numeric WHERE id = %s", [key.pk])


def test_a_demo_key_may_bring_its_secret(acme: Organization) -> None:
    made = keys.create(acme, None, "Demo", None, None, NOW, once="demo", secret="sk-purser-the-same-every-time")
    assert keys.by_secret("sk-purser-the-same-every-time") == made.key

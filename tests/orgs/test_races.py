"""Two people at the same moment, on two connections to a real database."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orgs import founding, keys, memberships
from orgs.accounts import AccountAdapter
from orgs.memberships import LastOwner
from orgs.models import ApiKey, Kind, Membership, Organization, Role, User
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each act answers or raises, all begun together, each on its own connection."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            start.wait(timeout=10)
            return act()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def two_owners(acme: Organization, alice: User, bob: User) -> tuple[Membership, Membership]:
    acme.memberships.filter(user=bob).update(role=Role.OWNER)
    return acme.memberships.get(user=alice), acme.memberships.get(user=bob)


@pytest.mark.parametrize("turn", range(5))
def test_two_owners_leave_at_once_and_one_stays(turn: int, acme: Organization, alice: User, bob: User) -> None:
    first, second = two_owners(acme, alice, bob)
    answers = at_once(lambda: memberships.leave(first), lambda: memberships.leave(second))
    assert {type(answer) for answer in answers} == {LastOwner, type(None)}
    assert acme.memberships.filter(role=Role.OWNER).count() == 1


def test_two_owners_demote_each_other_at_once_and_one_stays(acme: Organization, alice: User, bob: User) -> None:
    first, second = two_owners(acme, alice, bob)
    answers = at_once(
        lambda: memberships.change_role(second, Role.VIEWER, by=first),
        lambda: memberships.change_role(first, Role.VIEWER, by=second),
    )
    assert sum(isinstance(answer, memberships.MembershipRefused) for answer in answers) == 1
    assert acme.memberships.filter(role=Role.OWNER).count() == 1


def test_the_database_alone_keeps_one_of_two_owners(acme: Organization, alice: User, bob: User) -> None:
    """Both updates are made before either is committed; only the trigger stands between them and an orphan."""
    first, second = two_owners(acme, alice, bob)
    both_asked = threading.Barrier(2)

    def demote(member: Membership) -> None:
        with transaction.atomic():
            both_asked.wait(timeout=10)
            Membership.objects.filter(pk=member.pk).update(role=Role.VIEWER)

    answers = at_once(lambda: demote(first), lambda: demote(second))
    assert sorted(answer is None for answer in answers) == [False, True]
    assert any(isinstance(answer, IntegrityError) for answer in answers)
    assert acme.memberships.filter(role=Role.OWNER).count() == 1


def test_a_form_sent_five_times_at_once_makes_one_key(acme: Organization) -> None:
    now = timezone.now()
    answers = at_once(*[lambda: keys.create(acme, None, "ci", None, None, now, once="token-of-a-form")] * 5)
    assert sum(isinstance(answer, keys.NewKey) for answer in answers) == 1
    assert sum(isinstance(answer, keys.AlreadyMade) for answer in answers) == 4
    assert ApiKey.objects.count() == 1


def test_the_limit_of_keys_holds_when_two_want_the_last_place(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_LIVE_KEYS", 1)
    answers = at_once(lambda: people.key(acme), lambda: people.key(acme))
    assert {type(answer) for answer in answers} == {keys.NewKey, keys.TooManyKeys}


def test_one_personal_organization_however_many_ask_at_once(db: None) -> None:
    user = User.objects.create_user("dora@example.com")
    now = timezone.now()
    answers = at_once(*[lambda: founding.found_personal(user, now)] * 4)
    assert {answer.pk for answer in answers if isinstance(answer, Organization)} == {
        Organization.objects.get(kind=Kind.PERSONAL).pk
    }


def test_two_teams_of_one_name_at_once_get_two_addresses(alice: User, charlie: User) -> None:
    now = timezone.now()
    at_once(lambda: founding.found_team(alice, "Labs", now), lambda: founding.found_team(charlie, "Labs", now))
    slugs = sorted(Organization.objects.filter(kind=Kind.TEAM).values_list("slug", flat=True))
    assert len(slugs) == 2
    assert slugs[0] == "labs"
    assert slugs[1].startswith("labs-")


def test_three_sign_ups_with_one_address_at_once_make_one_account(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three find the address free before any of them takes it; all get the answer that tells nothing."""
    all_checked, save_user = threading.Barrier(3), AccountAdapter.save_user

    def save_together(*args: Any, **kwargs: Any) -> User:
        all_checked.wait(timeout=10)
        return save_user(*args, **kwargs)

    monkeypatch.setattr(AccountAdapter, "save_user", save_together)

    def sign_up() -> tuple[int, str]:
        answer = Client().post(reverse("account_signup"), {"email": "dora@example.com", "password1": people.PASSWORD})
        return answer.status_code, answer["Location"]

    assert at_once(*[sign_up] * 3) == [(302, reverse("account_email_verification_sent"))] * 3
    assert User.objects.count() == 1
    assert Organization.objects.count() == 1

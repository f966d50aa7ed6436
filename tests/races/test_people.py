"""People, organizations and keys: two at the same moment, where one must be second."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count, cycle
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from orgs import founding, keys, memberships
from orgs.accounts import AccountAdapter
from orgs.founding import SlugTaken
from orgs.models import ApiKey, Kind, Membership, Organization, Role, User
from tests.factories import orgs as people
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import Control, dropped, function, silent
from tests.races.scenes import NOW, World

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bob(transactional_db: None) -> User:
    return people.person("bob@example.com", "Bob Baker", now=NOW)


def two_owners(world: World, bob: User) -> tuple[Membership, Membership]:
    team = world.team()
    return team.memberships.get(user=world.alice), people.member(team, bob, Role.OWNER)


def owners(of: Membership) -> Anomalies:
    rows = Membership.objects.filter(organization_id=of.organization_id, role=Role.OWNER)
    return differs("owners", rows.count(), 1)


def test_the_last_two_owners_step_down_at_once(arena: Arena, world: World, bob: User) -> None:
    """By leaving, by removing or demoting each other, or one this way and one that: an owner stays."""
    ways: cycle[Callable[[Membership, Membership], Callable[[], None]]] = cycle([
        lambda me, other: lambda: memberships.leave(me),
        lambda me, other: lambda: memberships.change_role(other, Role.VIEWER, by=me),
        lambda me, other: lambda: memberships.remove(other, by=me),
        lambda me, other: lambda: memberships.change_role(me, Role.DEVELOPER, by=me),
        lambda me, other: lambda: memberships.leave(me),
    ])  # fmt: skip

    def prepare(turn: int) -> Race:
        alice, other = two_owners(world, bob)
        acts = [next(ways)(alice, other), next(ways)(other, alice)]
        return Race(acts, lambda answers: raised(answers, memberships.MembershipRefused) + owners(alice))

    arena.holds(prepare)
    # Each has seen the other one as an owner who stays.
    ways = cycle([lambda me, other: lambda: memberships.leave(me)])
    stepping_down = Control(locks=False, meet_at='^(UPDATE|DELETE FROM) "membership"')
    with silent("membership", "membership_keeps_an_owner"), arena.unguarded(stepping_down):
        arena.breaks(prepare, "owners: 0")


def test_the_database_alone_keeps_one_of_two_owners(arena: Arena, world: World, bob: User) -> None:
    """Whatever code forgets to ask: both roles are changed before either is committed."""

    def prepare(turn: int) -> Race:
        alice, other = two_owners(world, bob)

        def demote(member: Membership) -> Callable[[], None]:
            def act() -> None:
                with transaction.atomic():
                    Membership.objects.filter(pk=member.pk).update(role=Role.VIEWER)
                    arena.meet("both changed")

            return act

        def wrong(answers: list[Any]) -> Anomalies:
            refused = [answer for answer in answers if isinstance(answer, IntegrityError)]
            return [*raised(answers, IntegrityError), *differs("refused", len(refused), 1), *owners(alice)]

        return Race([demote(alice), demote(other)], wrong)

    arena.holds(prepare)
    # The trigger counts without locking the organization, so it does not see the other's change.
    with function("membership_keeps_an_owner", (r"PERFORM 1 FROM organization .* FOR NO KEY UPDATE;", "")):
        with arena.unguarded():
            arena.breaks(prepare, "owners: 0")


def test_a_key_revoked_by_two_at_once(arena: Arena, world: World) -> None:
    """The first moment stays, and both are told it."""

    def prepare(turn: int) -> Race:
        key = world.key(world.team())
        moments = [NOW, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)]

        def revoke(moment: Any) -> Callable[[], Any]:
            mine = ApiKey.objects.get(pk=key.pk)

            def act() -> Any:
                keys.revoke(mine, moment)
                return mine.revoked_at

            return act

        def wrong(answers: list[Any]) -> Anomalies:
            key.refresh_from_db()
            return [*raised(answers), *differs("told", set(answers), {key.revoked_at})]

        return Race([revoke(moment) for moment in moments], wrong)

    arena.holds(prepare)
    # Revoking does not ask whether the key is revoked: only the trigger keeps the first moment.
    with arena.unguarded(Control(without={' AND "api_key"."revoked_at" IS NULL': ""})):
        arena.breaks(prepare, "a revoked key stays revoked")


def test_the_last_place_for_a_key_is_given_once(
    arena: Arena, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(keys, "MAX_LIVE_KEYS", 1)

    def prepare(turn: int) -> Race:
        team = world.team()

        def wrong(answers: list[Any]) -> Anomalies:
            return [*raised(answers, keys.TooManyKeys), *differs("keys", keys.live(team, NOW).count(), 1)]

        return Race([lambda: world.key(team)] * 2, wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "api_key"')):
        arena.breaks(prepare, "keys: 2")


def test_a_form_sent_five_times_at_once_makes_one_key(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()

        def wrong(answers: list[Any]) -> Anomalies:
            shown = [answer for answer in answers if isinstance(answer, keys.NewKey)]
            return [
                *raised(answers, keys.AlreadyMade),
                *differs("secrets shown", len(shown), 1),
                *differs("keys", team.api_keys.count(), 1),
            ]

        return Race([lambda: keys.create(team, None, "ci", None, None, NOW, once="token-of-a-form")] * 5, wrong)

    arena.holds(prepare)
    # All have looked for the form's key and found none; then only its being unique stands in the way.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "api_key"')):
        arena.breaks(prepare, "api_key_public_id")


def test_two_teams_of_one_name_at_once(arena: Arena, world: World, bob: User) -> None:
    """Each gets an address of its own; an address that was asked for is given to one, and the other is told."""
    numbers = count(1)

    def prepare(turn: int) -> Race:
        name = f"Labs {next(numbers)}"
        slug = name.lower().replace(" ", "-") if turn % 2 == 0 else None

        def wrong(answers: list[Any]) -> Anomalies:
            slugs = [answer.slug for answer in answers if isinstance(answer, Organization)]
            return [
                *raised(answers, *[SlugTaken] if slug else []),
                *differs("addresses", len(set(slugs)), 1 if slug else 2),
                *differs("teams", len(slugs), 1 if slug else 2),
            ]

        def found(user: User) -> Callable[[], Organization]:
            return lambda: founding.found_team(user, name, NOW, slug=slug)

        return Race([found(world.alice), found(bob)], wrong)

    arena.holds(prepare)
    # Nothing is asked before: that an address is unique is the whole guard.
    with dropped("organization", "organization_slug_key"):
        with arena.unguarded(Control(meet_at='^INSERT INTO "organization"')):
            arena.breaks(prepare, "addresses: 1 instead of 2")


def test_one_personal_organization_however_many_ask_at_once(arena: Arena, world: World) -> None:
    def prepare(turn: int) -> Race:
        user = User.objects.create_user(f"dora-{turn}-{arena.control is None}@example.com")

        def wrong(answers: list[Any]) -> Anomalies:
            mine = Organization.objects.filter(kind=Kind.PERSONAL, memberships__user=user)
            return [*raised(answers), *differs("personal organizations", mine.count(), 1)]

        return Race([lambda: founding.found_personal(user, NOW)] * 4, wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "organization"')):
        arena.breaks(prepare, "personal organizations: 4")


def test_three_sign_ups_with_one_address_at_once(arena: Arena, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account is made, and all get the answer that tells nothing."""
    save_user = AccountAdapter.save_user

    def save_together(*args: Any, **kwargs: Any) -> User:
        arena.meet("the address is free")
        return save_user(*args, **kwargs)

    monkeypatch.setattr(AccountAdapter, "save_user", save_together)
    numbers = count(1)

    def prepare(turn: int) -> Race:
        # Limits on signing up are counted in the cache.
        cache.clear()
        email = f"dora-{next(numbers)}@example.com"

        def sign_up() -> tuple[int, str]:
            answer = Client().post(reverse("account_signup"), {"email": email, "password1": people.PASSWORD})
            return answer.status_code, answer["Location"]

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("answered", set(answers), {(302, reverse("account_email_verification_sent"))}),
                *differs("accounts", User.objects.filter(email=email).count(), 1),
                *differs("organizations", Organization.objects.filter(memberships__user__email=email).count(), 1),
            ]

        return Race([sign_up] * 3, wrong)

    arena.holds(prepare)
    # All find the address free before any of them takes it: that it is unique is all that keeps it to one.
    with dropped("app_user", "app_user_email_key", "app_user_email_any_case"), arena.unguarded():
        arena.breaks(prepare, "accounts: 3")

"""Who belongs to an organization: roles, leaving, removing, and the owner who must stay."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from orgs import memberships
from orgs.memberships import LastOwner, NoLongerMember, NotAllowed, OwnersOnly
from orgs.models import Membership, Organization, Role, User
from tests.factories import orgs as people


def of(organization: Organization, user: User) -> Membership:
    return organization.memberships.select_related("organization", "user").get(user=user)


def role_of(organization: Organization, user: User) -> str | None:
    return organization.memberships.filter(user=user).values_list("role", flat=True).first()


# --- The rules ------------------------------------------------------------------------------------------------------


def test_the_last_owner_is_neither_demoted_nor_removed_nor_free_to_leave(
    acme: Organization, alice: User, bob: User
) -> None:
    owner = of(acme, alice)
    changes: list[Callable[[], None]] = [
        lambda: memberships.change_role(owner, Role.ADMIN, by=owner),
        lambda: memberships.remove(owner, by=owner),
        lambda: memberships.leave(owner),
    ]
    for change in changes:
        with pytest.raises(LastOwner, match="Acme Research keeps at least one owner"):
            change()
    assert role_of(acme, alice) == Role.OWNER


def test_nobody_leaves_an_organization_behind_without_anybody(alice_personal: Organization, alice: User) -> None:
    with pytest.raises(LastOwner):
        memberships.leave(of(alice_personal, alice))


def test_with_a_second_owner_the_first_may_go(acme: Organization, alice: User, bob: User) -> None:
    memberships.change_role(of(acme, bob), Role.OWNER, by=of(acme, alice))
    memberships.leave(of(acme, alice))
    assert (role_of(acme, alice), role_of(acme, bob)) == (None, Role.OWNER)
    with pytest.raises(LastOwner):
        memberships.leave(of(acme, bob))


@pytest.mark.parametrize("bob_role", [Role.ADMIN])
def test_an_admin_manages_everybody_but_owners(acme: Organization, alice: User, bob: User, charlie: User) -> None:
    people.member(acme, charlie, Role.VIEWER)
    admin = of(acme, bob)
    memberships.change_role(of(acme, charlie), Role.ADMIN, by=admin)
    changes: list[Callable[[], None]] = [
        lambda: memberships.change_role(of(acme, charlie), Role.OWNER, by=admin),
        lambda: memberships.change_role(admin, Role.OWNER, by=admin),
        lambda: memberships.change_role(of(acme, alice), Role.VIEWER, by=admin),
        lambda: memberships.remove(of(acme, alice), by=admin),
    ]
    for change in changes:
        with pytest.raises(OwnersOnly):
            change()
    memberships.remove(of(acme, charlie), by=admin)
    assert [role_of(acme, user) for user in (alice, bob, charlie)] == [Role.OWNER, Role.ADMIN, None]


@pytest.mark.parametrize("bob_role", [Role.BILLING, Role.DEVELOPER, Role.VIEWER])
def test_others_manage_nobody_but_may_leave(acme: Organization, alice: User, bob: User) -> None:
    me = of(acme, bob)
    with pytest.raises(NotAllowed):
        memberships.change_role(me, Role.ADMIN, by=me)
    with pytest.raises(NotAllowed):
        memberships.remove(me, by=me)
    memberships.leave(me)
    assert role_of(acme, bob) is None


@pytest.mark.parametrize("bob_role", [Role.ADMIN])
def test_what_counts_is_the_role_now_not_the_one_on_the_page(
    acme: Organization, alice: User, bob: User, charlie: User
) -> None:
    victim = people.member(acme, charlie)
    stale = of(acme, bob)
    memberships.change_role(of(acme, bob), Role.VIEWER, by=of(acme, alice))
    with pytest.raises(NotAllowed):
        memberships.remove(victim, by=stale)
    memberships.remove(of(acme, bob), by=of(acme, alice))
    with pytest.raises(NotAllowed):
        memberships.remove(victim, by=stale)
    with pytest.raises(NoLongerMember):
        memberships.leave(stale)
    with pytest.raises(NoLongerMember):
        memberships.change_role(stale, Role.VIEWER, by=of(acme, alice))
    assert role_of(acme, charlie) == Role.DEVELOPER


def test_the_database_keeps_an_owner_whoever_asks(acme: Organization, alice: User, bob: User) -> None:
    for change in (
        lambda: acme.memberships.filter(user=alice).update(role=Role.VIEWER),
        lambda: acme.memberships.filter(user=alice).delete(),
    ):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            change()
        diagnosis = refusal.value.__cause__.diag  # type: ignore[union-attr]
        assert diagnosis.constraint_name == "membership_keeps_an_owner"


# --- The pages ------------------------------------------------------------------------------------------------------


def page(name: str, organization: Organization, user: User | None = None) -> str:
    who = {"pk": of(organization, user).pk} if user else {}
    return reverse(f"orgs:{name}", kwargs={"slug": organization.slug, **who})


@pytest.mark.parametrize("bob_role", [Role.VIEWER])
def test_everybody_sees_who_belongs_and_what_roles_may_do(bob_client: Client, acme: Organization) -> None:
    text = bob_client.get(page("members", acme)).content.decode()
    for words in ("Alice Archer", "alice@example.com", "Bob Baker", "the only owner", "Buy credits", "Leave"):
        assert words in text
    assert "Remove" not in text
    assert "<select" not in text


@pytest.mark.parametrize("bob_role", [Role.ADMIN])
def test_an_admin_is_offered_no_owners(bob_client: Client, acme: Organization, charlie: User) -> None:
    people.member(acme, charlie, Role.BILLING)
    text = bob_client.get(page("members", acme)).content.decode()
    assert text.count("<select") == 2
    assert 'value="billing" selected' in text
    assert 'value="owner"' not in text


def test_changing_a_role(alice_client: Client, acme: Organization, bob: User) -> None:
    answer = alice_client.post(page("change_role", acme, bob), {"role": "viewer"}, follow=True)
    assert "Bob Baker is now: Viewer." in answer.content.decode()
    assert role_of(acme, bob) == Role.VIEWER


@pytest.mark.parametrize("role", ["", "king", "owner\x00", "OWNER"])
def test_a_role_nobody_knows_changes_nothing(alice_client: Client, acme: Organization, bob: User, role: str) -> None:
    answer = alice_client.post(page("change_role", acme, bob), {"role": role}, follow=True)
    assert "Choose one of the roles below." in answer.content.decode()
    assert role_of(acme, bob) == Role.DEVELOPER


def test_the_last_owner_is_told_why_not(alice_client: Client, acme: Organization, alice: User, bob: User) -> None:
    for answer in (
        alice_client.post(page("change_role", acme, alice), {"role": "viewer"}, follow=True),
        alice_client.post(page("leave", acme), follow=True),
    ):
        assert "Make another member an owner first." in answer.content.decode()
    assert role_of(acme, alice) == Role.OWNER


@pytest.mark.parametrize("bob_role", [Role.ADMIN])
def test_an_admin_cannot_make_himself_owner_by_hand(bob_client: Client, acme: Organization, bob: User) -> None:
    answer = bob_client.post(page("change_role", acme, bob), {"role": "owner"}, follow=True)
    assert "Only an owner makes, changes or removes an owner." in answer.content.decode()
    assert role_of(acme, bob) == Role.ADMIN


def test_removing_asks_first_and_says_what_stays(alice_client: Client, acme: Organization, bob: User) -> None:
    url = page("remove_member", acme, bob)
    question = alice_client.get(url).content.decode()
    assert "loses access to Acme Research at once" in question
    assert "keep working" in question
    assert role_of(acme, bob) is not None
    done = alice_client.post(url, follow=True)
    assert "Bob Baker is no longer a member of Acme Research." in done.content.decode()
    assert role_of(acme, bob) is None
    assert alice_client.post(url).status_code == 404


def test_removing_oneself_is_leaving(alice_client: Client, acme: Organization, alice: User, bob: User) -> None:
    assert alice_client.post(page("remove_member", acme, alice))["Location"] == page("leave", acme)
    assert role_of(acme, alice) == Role.OWNER


def test_leaving_leads_home_to_the_personal_organization(bob_client: Client, acme: Organization, bob: User) -> None:
    assert "You lose access to" in bob_client.get(page("leave", acme)).content.decode()
    assert bob_client.post(page("leave", acme))["Location"] == "/"
    assert role_of(acme, bob) is None
    assert bob_client.get("/")["Location"] == f"/o/{people.personal(bob).slug}/"

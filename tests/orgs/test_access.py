"""The only door to an organization: who gets in, who may do what, and what others see of it (nothing)."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orgs import access, keys
from orgs.access import MANAGE_KEYS, MANAGE_MEMBERS, MOVE_MONEY, OWN, READ, OrgRequest, Permission
from orgs.models import ApiKey, Membership, Organization, Role, User
from orgs.templatetags.access import may
from orgs.urls import pages
from tests.factories import orgs as people

OWNER, ADMIN, BILLING, DEVELOPER, VIEWER = Role

FORMS = ("rename", "change_role", "remove_member", "leave", "new_key", "revoke_key")
"""What changes something here, by its address."""


@pytest.fixture
def key(acme: Organization) -> ApiKey:
    return people.key(acme).key


def address(name: str, slug: str, key: ApiKey, member: Membership) -> str:
    patterns = {pattern.name: pattern for pattern in pages}
    known = {"slug": slug, "public_id": key.public_id, "pk": member.pk}
    wanted = patterns[name].pattern.regex.groupindex
    return reverse(f"orgs:{name}", kwargs={part: known[part] for part in wanted})


# --- What the roles may do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        (READ, {OWNER, ADMIN, BILLING, DEVELOPER, VIEWER}),
        (MOVE_MONEY, {OWNER, ADMIN, BILLING}),
        (MANAGE_KEYS, {OWNER, ADMIN, DEVELOPER}),
        (MANAGE_MEMBERS, {OWNER, ADMIN}),
        (OWN, {OWNER}),
    ],
)
def test_roles_and_permissions(permission: Permission, roles: set[Role]) -> None:
    assert {role for role in Role if access.allows(role, permission)} == roles
    assert {role for role in Role if may(Membership(role=role), permission.value)} == roles


def test_a_template_that_asks_for_a_permission_nobody_knows_is_wrong() -> None:
    with pytest.raises(ValueError, match="fly"):
        may(Membership(role=OWNER), "fly")


# --- Every page of an organization (who gets in: tests/architecture/test_routes.py) ----------------------------------


def organization_pages() -> Iterator[URLPattern]:
    return (pattern for pattern in pages if "slug" in pattern.pattern.regex.groupindex)


def test_who_may_not_is_told_whom_to_ask(bob_client: Client, acme: Organization) -> None:
    assert b"alice@example.com" in bob_client.post(f"/o/{acme.slug}/settings/name", {"name": "x"}).content


@pytest.mark.parametrize("slug", ["acme", "no-such-place"])
def test_who_is_not_signed_in_comes_back_to_the_page_afterwards(slug: str, client: Client, acme: Organization) -> None:
    page = f"/o/{slug}/keys/new"
    assert client.get(page)["Location"] == f"/accounts/login/?next={page}"
    assert client.post(page)["Location"] == "/accounts/login/?next=/"


@pytest.mark.parametrize("name", [page.name for page in organization_pages()])
def test_other_methods_are_refused(
    name: str, alice_client: Client, acme: Organization, alice: User, key: ApiKey
) -> None:
    url = address(name, acme.slug, key, acme.memberships.get(user=alice))
    for method in ("put", "patch", "delete"):
        assert getattr(alice_client, method)(url).status_code == 405


def test_without_the_token_of_the_form_nothing_is_changed(alice: User, acme: Organization, key: ApiKey) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice, backend="allauth.account.auth_backends.AuthenticationBackend")
    for name in FORMS:
        url = address(name, acme.slug, key, acme.memberships.get(user=alice))
        assert browser.post(url, {"name": "x"}).status_code == 403
    assert keys.is_live(ApiKey.objects.get(pk=key.pk), timezone.now())


# --- Details of the door --------------------------------------------------------------------------------------------


def test_an_account_that_is_switched_off_is_out_at_once(bob_client: Client, bob: User, acme: Organization) -> None:
    url = reverse("orgs:keys", kwargs={"slug": acme.slug})
    assert bob_client.get(url).status_code == 200
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert bob_client.get(url)["Location"] == f"/accounts/login/?next={url}"


def test_a_member_who_was_removed_is_out_at_once(bob_client: Client, bob: User, acme: Organization) -> None:
    url = reverse("orgs:keys", kwargs={"slug": acme.slug})
    assert bob_client.get(url).status_code == 200
    acme.memberships.get(user=bob).delete()
    assert bob_client.get(url).status_code == 404


def test_staff_have_no_way_in_through_this_door(client: Client, acme: Organization) -> None:
    staff = User.objects.create_superuser("staff@example.com", "x")
    client.force_login(staff, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get(reverse("orgs:keys", kwargs={"slug": acme.slug})).status_code == 404


def test_a_fragment_sends_the_whole_page_to_sign_in(client: Client, acme: Organization) -> None:
    page = f"http://testserver/o/{acme.slug}/usage?range=7d"
    answer = client.get(f"/o/{acme.slug}/keys", headers={"HX-Request": "true", "HX-Current-URL": page})
    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/accounts/login/?next=/o/acme/usage%3Frange%3D7d"


def test_a_fragment_never_sends_people_to_another_site(client: Client, acme: Organization) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/o/acme"}
    assert client.get("/o/acme/keys", headers=headers)["HX-Redirect"] == "/accounts/login/?next=/"


def test_the_door_costs_one_query(
    acme: Organization, alice: User, rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    seen: list[str] = []

    @access.requires(READ)
    def view(request: OrgRequest, slug: str) -> Any:
        seen.append(f"{request.organization.name}, {request.membership.role}")

    request = rf.get("/")
    request.user = alice
    request.session = {access.LAST_ORGANIZATION: acme.pk}  # type: ignore[assignment]
    with django_assert_num_queries(1):
        view(request, slug="acme")
    assert seen == ["Acme Research, owner"]


def test_the_last_organization_is_remembered_and_not_written_again(
    alice_client: Client, acme: Organization, alice_personal: Organization
) -> None:
    for organization in (acme, alice_personal, acme):
        alice_client.get(reverse("orgs:keys", kwargs={"slug": organization.slug}))
        assert alice_client.session[access.LAST_ORGANIZATION] == organization.pk
    again = alice_client.get(reverse("orgs:keys", kwargs={"slug": acme.slug}))
    assert not again.wsgi_request.session.modified


# --- What belongs to the organization -------------------------------------------------------------------------------


def request_of(organization: Organization) -> OrgRequest:
    request = OrgRequest()
    request.organization = organization
    return request


def test_own_finds_what_is_ours_and_nothing_else(acme: Organization, alice_personal: Organization) -> None:
    ours, theirs = people.key(acme).key, people.key(alice_personal).key
    assert access.own(request_of(acme), ApiKey, public_id=ours.public_id) == ours
    assert access.own(request_of(acme), ApiKey.objects.filter(name="ci"), pk=ours.pk) == ours
    for lookup in ({"public_id": theirs.public_id}, {"pk": theirs.pk}, {"pk": 10**30}, {"public_id": ""}):
        with pytest.raises(Http404):
            access.own(request_of(acme), ApiKey, **lookup)


def test_own_knows_what_belongs_to_no_organization(acme: Organization) -> None:
    with pytest.raises(TypeError, match="User belongs to no organization"):
        access.own(request_of(acme), User, pk=1)


def test_anothers_key_is_not_found_through_our_door(
    charlie_client: Client, charlie_personal: Organization, acme: Organization
) -> None:
    key = people.key(acme).key
    url = reverse("orgs:revoke_key", kwargs={"slug": charlie_personal.slug, "public_id": key.public_id})
    assert charlie_client.get(url).status_code == charlie_client.post(url).status_code == 404
    assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_another_organizations_member_is_not_found_through_our_door(
    charlie_client: Client, charlie_personal: Organization, acme: Organization, bob: User
) -> None:
    member = acme.memberships.get(user=bob)
    for name in ("remove_member", "change_role"):
        url = reverse(f"orgs:{name}", kwargs={"slug": charlie_personal.slug, "pk": member.pk})
        assert charlie_client.post(url, {"role": "viewer"}).status_code == 404
    assert acme.memberships.filter(user=bob, role=Role.DEVELOPER).exists()

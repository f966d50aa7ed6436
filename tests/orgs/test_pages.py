"""The pages of people and organizations: account, Teams, settings, the phone's More."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from orgs.models import Kind, Organization, Role, User
from tests.factories import orgs as people

NEW_TEAM = reverse("orgs:new_team")
ACCOUNT = reverse("orgs:account")

SESSION_USER_MEMBERSHIP = 3
SWITCHER = 1


def page(name: str, organization: Organization) -> str:
    return reverse(f"orgs:{name}", kwargs={"slug": organization.slug})


@pytest.mark.parametrize("url", [NEW_TEAM, ACCOUNT])
def test_pages_of_a_person_ask_to_sign_in_first(client: Client, db: None, url: str) -> None:
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"
    assert client.post(url, {"name": "x"})["Location"] == "/accounts/login/?next=/"


# --- Teams --------------------------------------------------------------------------------------------------------


def test_the_new_team_page_says_what_a_team_does_not_have(alice_client: Client) -> None:
    text = alice_client.get(NEW_TEAM).content.decode()
    assert "No free usage: its keys answer 402 until it has credit, a plan or a contract." in text
    assert "never changes its kind" in text


def test_creating_a_team_leads_to_it_as_its_owner(alice_client: Client, alice: User) -> None:
    answer = alice_client.post(NEW_TEAM, {"name": "  Nordlicht   Labs "})
    team = Organization.objects.get(kind=Kind.TEAM)
    assert (team.name, answer["Location"]) == ("Nordlicht Labs", f"/o/{team.slug}/")
    assert team.memberships.get().role == Role.OWNER
    # A double click.
    assert alice_client.post(NEW_TEAM, {"name": "Nordlicht Labs"})["Location"] == answer["Location"]
    assert Organization.objects.filter(kind=Kind.TEAM).count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_team_without_a_proper_name_is_not_made(alice_client: Client, name: str) -> None:
    answer = alice_client.post(NEW_TEAM, {"name": name})
    assert answer.status_code == 200
    assert answer.context["form"].errors["name"]
    assert not Organization.objects.filter(kind=Kind.TEAM).exists()


def test_a_name_is_text_on_every_page(alice_client: Client) -> None:
    alice_client.post(NEW_TEAM, {"name": "<script>alert(1)</script>"})
    text = alice_client.get(ACCOUNT).content.decode()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


# --- Switching ----------------------------------------------------------------------------------------------------


def test_every_organization_is_one_link_away(
    bob_client: Client, bob: User, acme: Organization, charlie_personal: Organization
) -> None:
    text = bob_client.get(page("members", acme)).content.decode()
    assert 'href="/o/acme/"' in text
    assert f'href="/o/{people.personal(bob).slug}/"' in text
    assert charlie_personal.slug not in text


def test_more_leads_everywhere_else(bob_client: Client, acme: Organization) -> None:
    text = bob_client.get(page("more", acme)).content.decode()
    for url in (page("keys", acme), page("members", acme), page("settings", acme), ACCOUNT, "/accounts/logout/"):
        assert f'href="{url}"' in text


# --- Settings -----------------------------------------------------------------------------------------------------


def test_settings_show_kind_and_address(alice_client: Client, acme: Organization) -> None:
    text = alice_client.get(page("settings", acme)).content.decode()
    for words in ("Team, no free usage", "/o/acme/", "The kind never changes."):
        assert words in text


def test_a_new_name_keeps_the_address(alice_client: Client, acme: Organization) -> None:
    answer = alice_client.post(page("rename", acme), {"name": "Acme Works"}, follow=True)
    assert "The organization is called Acme Works now." in answer.content.decode()
    acme.refresh_from_db()
    assert (acme.name, acme.slug) == ("Acme Works", "acme")


def test_a_name_that_is_refused_is_shown_again_with_the_reason(alice_client: Client, acme: Organization) -> None:
    answer = alice_client.post(page("rename", acme), {"name": "y" * 81})
    assert answer.status_code == 200
    assert "y" * 81 in answer.content.decode()
    acme.refresh_from_db()
    assert acme.name == "Acme Research"


@pytest.mark.parametrize("bob_role", [Role.BILLING, Role.DEVELOPER, Role.VIEWER])
def test_others_see_the_name_and_who_may_change_it(bob_client: Client, acme: Organization) -> None:
    text = bob_client.get(page("settings", acme)).content.decode()
    assert "Owners and admins can change it." in text
    assert page("rename", acme) not in text


# --- The person ---------------------------------------------------------------------------------------------------


def test_the_account_page_leads_to_everything_about_the_person(alice_client: Client) -> None:
    text = alice_client.get(ACCOUNT).content.decode()
    for url in ("/accounts/email/", "/accounts/password/change/", "/accounts/logout/", reverse("theme")):
        assert f'"{url}"' in text
    assert "alice@example.com" in text


def test_saving_a_name_and_nothing_else(alice_client: Client, alice: User) -> None:
    answer = alice_client.post(ACCOUNT, {"name": "Alice  A. Archer", "email": "x@example.com", "is_staff": "on"})
    assert answer["Location"] == ACCOUNT
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_staff) == ("Alice A. Archer", "alice@example.com", False)


# --- What a page costs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "own_queries"), [("more", 0), ("settings", 0), ("members", 1), ("keys", 2), ("new_key", 0)]
)
def test_pages_cost_a_fixed_number_of_queries(
    alice_client: Client,
    acme: Organization,
    bob: User,
    name: str,
    own_queries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        people.key(acme, f"key {number}", user=bob)
        people.member(acme, people.person(f"member{number}@example.com"))
    alice_client.get(page(name, acme))  # remembers the organization
    with django_assert_num_queries(SESSION_USER_MEMBERSHIP + own_queries + SWITCHER):
        assert alice_client.get(page(name, acme)).status_code == 200

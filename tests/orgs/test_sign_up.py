"""From a stranger's first visit to their own organization, and the ways back in."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from orgs.models import Kind, Organization, Role, User
from tests.factories import orgs as people
from tests.factories.orgs import PASSWORD

pytestmark = pytest.mark.django_db

SIGN_UP, SIGN_IN, RESET = "/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"
SENT = "/accounts/confirm-email/"


def sign_up(client: Client, email: str = "dora@example.com", password: str = PASSWORD, **more: str) -> Any:
    return client.post(SIGN_UP, {"email": email, "password1": password, **more})


def sign_in(client: Client, email: str = "alice@example.com", password: str = PASSWORD, **more: str) -> Any:
    return client.post(SIGN_IN, {"login": email, "password": password, **more})


def link_in(message: mail.EmailMessage) -> str:
    found = re.search(r"http://testserver(/accounts/\S+)", str(message.body))
    assert found, message.body
    return found[1]


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# --- Signing up -----------------------------------------------------------------------------------------------------


def test_sign_up_verify_and_arrive_in_the_personal_organization(client: Client) -> None:
    assert client.get(SIGN_UP).status_code == 200
    answer = sign_up(client)
    assert answer["Location"] == SENT
    assert client.get(SENT).status_code == 200
    assert not is_signed_in(client)

    (message,) = mail.outbox
    assert message.to == ["dora@example.com"]
    link = link_in(message)
    # Mail scanners follow links: looking confirms nothing, the button does.
    assert client.get(link).status_code == 200
    assert not EmailAddress.objects.get().verified
    assert client.post(link)["Location"] == "/"
    assert EmailAddress.objects.get().verified
    assert is_signed_in(client)

    personal = Organization.objects.get()
    assert (personal.kind, personal.name) == (Kind.PERSONAL, "dora")
    assert personal.memberships.get(role=Role.OWNER).user.email == "dora@example.com"
    assert client.get("/")["Location"] == f"/o/{personal.slug}/"


def test_without_verifying_nobody_signs_in(client: Client) -> None:
    sign_up(client)
    assert sign_in(Client(), "dora@example.com")["Location"] == SENT
    assert not is_signed_in(client)


def test_the_link_of_the_mail_works_once(client: Client) -> None:
    sign_up(client)
    link = link_in(mail.outbox[0])
    client.post(link)
    stranger = Client()
    stranger.post(link)
    assert not is_signed_in(stranger)


def test_another_browser_with_the_link_verifies_but_is_not_signed_in(client: Client) -> None:
    sign_up(client)
    other = Client()
    other.post(link_in(mail.outbox[0]))
    assert EmailAddress.objects.get().verified
    assert not is_signed_in(other)


@pytest.mark.parametrize("password", ["", "short", "password123", "dora@example.com"])
def test_weak_passwords_make_no_account(client: Client, password: str) -> None:
    assert sign_up(client, password=password).status_code == 200
    assert not User.objects.exists()
    assert not mail.outbox


@pytest.mark.parametrize("email", ["", "dora", "dora@", "dora@example.com\nbcc: x@example.com", "d" * 250 + "@e.com"])
def test_no_account_for_what_is_no_address(client: Client, email: str) -> None:
    assert sign_up(client, email=email).status_code == 200
    assert not User.objects.exists()


def test_an_account_and_its_organization_are_made_together_or_not_at_all(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr("orgs.founding.found_personal", fail)
    client.raise_request_exception = False
    assert sign_up(client).status_code == 500
    assert not User.objects.exists()


def test_mails_speak_for_the_house_in_its_own_name(client: Client, alice: User, settings: Any) -> None:
    settings.BRAND = settings.BRAND | {"name": "Tide & Co"}
    sign_up(client)
    sign_up(Client(), "alice@example.com")
    for email in ("alice@example.com", "nobody@example.com"):
        Client().post(RESET, {"email": email})
    for message, subject in zip(
        mail.outbox,
        (
            "Confirm your e-mail address",
            "You have an account already",
            "Choose a new password",
            "No account with this address",
        ),
        strict=True,
    ):
        assert message.subject == subject
        body = re.sub(r"http://\S+", "", str(message.body))
        assert "Tide & Co" in body
        assert settings.SUPPORT["email"] in body
        assert "testserver" not in body


# --- Nobody learns who has an account -------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@Example.com"])
def test_signing_up_with_a_known_address_looks_the_same_and_writes_to_its_owner(
    client: Client, alice: User, email: str
) -> None:
    known, new = sign_up(client, email), sign_up(Client(), "dora@example.com")
    assert (known.status_code, known["Location"]) == (new.status_code, new["Location"]) == (302, SENT)
    assert User.objects.filter(email__iexact="alice@example.com").count() == 1
    to_alice, to_dora = mail.outbox
    assert to_alice.to == ["alice@example.com"]
    assert "confirm-email" not in str(to_alice.body)
    assert "confirm-email" in str(to_dora.body)
    assert User.objects.get(pk=alice.pk).check_password(PASSWORD)


def test_a_wrong_password_and_an_unknown_address_are_told_apart_by_nobody(client: Client, alice: User) -> None:
    def errors(email: str) -> str:
        return str(sign_in(Client(), email, "wrong").context["form"].errors)

    assert errors("alice@example.com") == errors("nobody@example.com") != ""


def test_forgotten_passwords_look_the_same_for_everybody(client: Client, alice: User) -> None:
    known = client.post(RESET, {"email": "alice@example.com"})
    unknown = Client().post(RESET, {"email": "nobody@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    to_alice, to_nobody = mail.outbox
    assert "/password/reset/key/" in str(to_alice.body)
    assert "/password/reset/key/" not in str(to_nobody.body)


# --- Signing in -----------------------------------------------------------------------------------------------------


def test_signing_in_and_out(client: Client, alice: User, alice_personal: Organization) -> None:
    assert client.get(SIGN_IN).status_code == 200
    assert sign_in(client, "Alice@Example.com")["Location"] == "/"
    assert client.get("/")["Location"] == f"/o/{alice_personal.slug}/"
    assert client.post("/accounts/logout/")["Location"] == SIGN_IN
    assert not is_signed_in(client)
    assert client.get("/")["Location"] == SIGN_IN


def test_an_account_that_is_switched_off_does_not_sign_in(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    sign_in(client)
    assert not is_signed_in(client)


def test_guessing_is_slowed_down(client: Client, alice: User) -> None:
    for _attempt in range(5):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not is_signed_in(client)


def test_a_new_password_by_mail(client: Client, alice: User) -> None:
    client.post(RESET, {"email": "alice@example.com"})
    form = client.get(link_in(mail.outbox[0]), follow=True)
    new = "a better horse with a battery"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert User.objects.get(pk=alice.pk).check_password(new)
    # The link is spent.
    again = Client().get(link_in(mail.outbox[0]), follow=True)
    assert "password1" not in again.content.decode()
    assert sign_in(Client(), password=new)["Location"] == "/"


def test_a_new_password_ends_other_sessions(alice_client: Client, alice: User) -> None:
    assert alice_client.get(reverse("orgs:account")).status_code == 200
    alice.set_password("a better horse with a battery")
    alice.save()
    assert alice_client.get(reverse("orgs:account")).status_code == 302


# --- Where people land ----------------------------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "\thttps://evil.example",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_never_leads_to_another_site(client: Client, alice: User, target: str) -> None:
    assert sign_in(client, next=target)["Location"] == "/"
    other = Client()
    assert other.post(f"{SIGN_IN}?next={target}", {"login": alice.email, "password": PASSWORD})["Location"] == "/"


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_out_never_leads_to_another_site(alice_client: Client, target: str) -> None:
    assert alice_client.post("/accounts/logout/", {"next": target})["Location"] == SIGN_IN


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_up_never_leads_to_another_site(client: Client, target: str) -> None:
    sign_up(client, next=target)
    assert client.post(link_in(mail.outbox[0]))["Location"] == "/"


def test_signing_in_leads_back_to_the_page_that_asked_for_it(client: Client, alice: User, acme: Organization) -> None:
    asked = client.get("/o/acme/keys")["Location"]
    answer = client.post(asked, {"login": alice.email, "password": PASSWORD})
    assert answer["Location"] == "/o/acme/keys"


def test_the_last_organization_is_where_home_leads(
    alice_client: Client, acme: Organization, alice_personal: Organization
) -> None:
    assert alice_client.get("/")["Location"] == f"/o/{alice_personal.slug}/"
    alice_client.get("/o/acme/keys")
    assert alice_client.get("/")["Location"] == "/o/acme/"


def test_home_forgets_an_organization_one_has_left(bob_client: Client, bob: User, acme: Organization) -> None:
    bob_client.get("/o/acme/keys")
    acme.memberships.get(user=bob).delete()
    assert bob_client.get("/")["Location"] == f"/o/{people.personal(bob).slug}/"


def test_an_account_from_the_command_line_may_found_its_personal_organization(client: Client) -> None:
    staff = User.objects.create_superuser("staff@example.com", PASSWORD)
    client.force_login(staff, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get("/")
    assert "You belong to no organization yet" in page.content.decode()
    assert not Organization.objects.exists()
    answer = client.post("/")
    assert answer["Location"] == f"/o/{Organization.objects.get().slug}/"
    assert client.post("/")["Location"] == answer["Location"]
    assert Organization.objects.count() == 1

"""API keys as people meet them: a list, one page that shows the whole key once, and the end of a key."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from orgs import keys
from orgs.models import ApiKey, Organization, Role, User
from tests.factories import orgs as people

LIST, NEW = "/o/acme/keys", "/o/acme/keys/new"
SECRET = re.compile(r"sk-purser-[A-Za-z0-9_-]{43}")


def open_form(client: Client) -> str:
    """The token of a newly opened form."""
    return str(client.get(NEW).context["form"]["once"].value())


def create(client: Client, name: str = "release-bot", **more: str) -> Any:
    return client.post(NEW, {"name": name, "once": open_form(client), **more})


def test_without_keys_the_list_leads_to_the_first(alice_client: Client, acme: Organization) -> None:
    text = alice_client.get(LIST).content.decode()
    assert "No keys yet." in text
    assert f'href="{NEW}"' in text
    assert "Keys belong to Acme Research. What they use is paid by Acme Research." in text


def test_a_new_key_is_shown_whole_and_only_then(alice_client: Client, alice: User, acme: Organization) -> None:
    answer = create(alice_client)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    assert "This is the only time the whole key is shown. We store a hash." in text
    (secret,) = set(SECRET.findall(text))
    key = keys.by_secret(secret)
    assert key is not None
    assert (key.name, key.organization, key.created_by, key.expires_at) == ("release-bot", acme, alice, None)
    listed = alice_client.get(LIST).content.decode()
    assert f"{secret[:12]}…{secret[-4:]}" in listed
    assert not SECRET.search(listed)
    assert not SECRET.search(str(dict(alice_client.session)))
    assert not mail.outbox


def test_no_log_line_holds_the_key(alice_client: Client, acme: Organization, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (secret,) = set(SECRET.findall(create(alice_client).content.decode()))
    assert caplog.records
    assert secret[12:-4] not in caplog.text


def test_reloading_or_clicking_twice_makes_no_second_key(alice_client: Client, acme: Organization) -> None:
    form = {"name": "release-bot", "once": open_form(alice_client)}
    assert SECRET.search(alice_client.post(NEW, form).content.decode())
    again = alice_client.post(NEW, form)
    assert again.status_code == 409
    text = again.content.decode()
    assert "This key was already shown" in text
    assert not SECRET.search(text)
    assert ApiKey.objects.count() == 1


def test_each_form_has_a_token_of_its_own(alice_client: Client, acme: Organization) -> None:
    assert open_form(alice_client) != open_form(alice_client)
    create(alice_client)
    create(alice_client)
    assert ApiKey.objects.count() == 2


def test_an_expiry_is_the_start_of_that_day(alice_client: Client, acme: Organization) -> None:
    day = timezone.now().date() + timedelta(days=30)
    assert "Expires" in create(alice_client, expires_on=day.isoformat()).content.decode()
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert expires_at.isoformat() == f"{day}T00:00:00+00:00"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 61),
        ("expires_on", "today"),
        ("expires_on", "2020-01-01"),
        ("expires_on", "0001-01-01"),
        ("expires_on", "10000-01-01"),
        ("once", ""),
        ("once", "short"),
    ],
)
def test_what_is_refused_is_shown_with_its_reason(
    alice_client: Client, acme: Organization, field: str, value: str
) -> None:
    answer = create(alice_client, **{"expires_on": "", field: value})
    assert answer.status_code == 200
    assert answer.context["form"].errors[field]
    assert not ApiKey.objects.exists()


def test_a_form_that_was_refused_may_be_sent_again(alice_client: Client, acme: Organization) -> None:
    once = open_form(alice_client)
    alice_client.post(NEW, {"name": "", "once": once})
    assert SECRET.search(alice_client.post(NEW, {"name": "ci", "once": once}).content.decode())


def test_too_many_keys_are_refused_in_words(
    alice_client: Client, acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_LIVE_KEYS", 1)
    create(alice_client)
    answer = create(alice_client)
    assert "Revoke one first." in answer.content.decode()
    assert ApiKey.objects.count() == 1


def test_the_list_tells_the_states_apart(alice_client: Client, acme: Organization) -> None:
    now = timezone.now()
    people.key(acme, "fresh")
    used = people.key(acme, "busy").key
    ApiKey.objects.filter(pk=used.pk).update(last_used_at=now)
    people.key(acme, "stale", now=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    keys.revoke(people.key(acme, "gone").key, now)
    answer = alice_client.get(LIST)
    assert {key.name: state.value for key, state in answer.context["rows"]} == {
        "fresh": "new",
        "busy": "active",
        "stale": "expired",
    }
    assert [key.name for key in answer.context["revoked"]] == ["gone"]
    text = answer.content.decode()
    for words in ("New", "Active", "Expired", "1 revoked key, kept for your records"):
        assert words in text


def test_revoking_asks_first_says_what_happens_and_is_at_once(alice_client: Client, acme: Organization) -> None:
    made = people.key(acme, "release-bot")
    url = f"/o/acme/keys/{made.key.public_id}/revoke"
    question = alice_client.get(url).content.decode()
    assert "requests with it get 401 within seconds" in question
    assert "cannot be brought back" in question
    assert keys.is_live(ApiKey.objects.get(), timezone.now())

    done = alice_client.post(url, follow=True)
    assert "release-bot is revoked." in done.content.decode()
    key = keys.by_secret(made.secret)
    assert key is not None
    assert not keys.is_live(key, timezone.now())
    first = key.revoked_at
    assert alice_client.post(url)["Location"] == LIST
    assert alice_client.get(url)["Location"] == LIST
    assert ApiKey.objects.get().revoked_at == first


@pytest.mark.parametrize("bob_role", [Role.BILLING, Role.VIEWER])
def test_who_may_not_manage_keys_sees_them_and_no_buttons(bob_client: Client, acme: Organization) -> None:
    key = people.key(acme, "release-bot").key
    text = bob_client.get(LIST).content.decode()
    assert "release-bot" in text
    assert NEW not in text
    assert f"/keys/{key.public_id}/revoke" not in text

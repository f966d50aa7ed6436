"""The billing address is confirmed by the mail to it before it gets any other: no sign-in, one button, nothing by a look."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core import mail, signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.notices import announcing, confirming, sending
from billing.notices.models import Kind, Mail, Notice, NoticeSettings
from orgs.models import Organization, User
from tests.billing.views.buying import text

NOON = datetime.fromisoformat("2026-04-14T12:41:08Z")
BILLS = "bills@acme.example"
Later = Callable[..., None]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def later() -> Iterator[Later]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield lambda **by: clock.shift(timedelta(**by))


def save(client: Client, email: str = BILLS) -> str:
    return text(client.post("/o/acme/alerts/settings", {"billing_email": email, "thresholds": ""}, follow=True))


def again(client: Client) -> str:
    return text(client.post("/o/acme/alerts/billing-email/again", follow=True))


def link() -> str:
    """Of the newest letter, as it stands in the mail."""
    assert sending.send(now=timezone.now()) >= 1
    found = re.search(r"https?://[^/\s]+(/billing-email/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def told(acme: Organization) -> list[str]:
    """Whom a letter reaches that concerns the billing of Acme."""
    number = Notice.objects.count()
    facts: announcing.Facts = {"on": False, "why": "customer"}
    announcing.announce(acme.pk, Kind.RECHARGE_CHANGED, key=f"{number}", facts=facts, now=timezone.now())
    assert sending.send(now=timezone.now()) == 1
    return mail.outbox[-1].to


def test_until_it_is_confirmed_mail_goes_where_it_went_before(
    alice_client: Client, client: Client, acme: Organization
) -> None:
    shown = save(alice_client)
    assert f"{BILLS} waits to be confirmed. Alice Archer asked on 14 Apr 2026, 12:41 UTC" in shown
    assert "Until then mail goes to the owners and members with the billing role." in shown
    opened = link()
    assert mail.outbox[-1].to == [BILLS]
    assert "because Alice Archer wants what concerns the billing of Acme Research to go to this address" in str(
        mail.outbox[-1].body
    )
    assert told(acme) == ["alice@example.com"]

    assert f"is to go to {BILLS}" in text(client.get(opened))
    assert told(acme) == ["alice@example.com"], "looking confirms nothing"
    assert "Confirmed What concerns the billing of Acme Research" in text(client.post(opened, follow=True))
    assert told(acme) == [BILLS]
    assert "waits to be confirmed" not in text(alice_client.get("/o/acme/alerts"))


def test_another_address_keeps_the_first_until_it_is_confirmed(
    alice_client: Client, client: Client, acme: Organization, later: Later
) -> None:
    save(alice_client)
    client.post(link())
    later(minutes=2)
    assert f"Until then mail goes to {BILLS}." in save(alice_client, "more@acme.example")
    opened = link()
    assert told(acme) == [BILLS]
    for _ in range(2):
        client.post(opened)
        assert told(acme) == ["more@acme.example"]


def test_the_old_one_written_again_is_asked_for_no_more(
    alice_client: Client, client: Client, acme: Organization, later: Later
) -> None:
    save(alice_client)
    client.post(link())
    later(minutes=2)
    save(alice_client, "more@acme.example")
    opened = link()
    assert "waits" not in save(alice_client, BILLS)
    for answer in (client.get(opened), client.post(opened)):
        assert answer.status_code == 404
        assert "not asked for any more" in text(answer)
    assert told(acme) == [BILLS]


def test_none_at_all_needs_no_letter(alice_client: Client, client: Client, acme: Organization) -> None:
    save(alice_client)
    client.post(link())
    save(alice_client, "")
    assert told(acme) == ["alice@example.com"]
    assert Notice.objects.filter(kind=Kind.BILLING_EMAIL).count() == 1


def test_saving_other_settings_sends_no_second_letter(alice_client: Client, acme: Organization, later: Later) -> None:
    for _ in range(3):
        assert "waits to be confirmed" in save(alice_client)
        later(minutes=5)
    assert Notice.objects.filter(kind=Kind.BILLING_EMAIL).count() == 1


def test_the_link_is_good_for_72_hours(alice_client: Client, client: Client, acme: Organization, later: Later) -> None:
    save(alice_client)
    opened = link()
    later(hours=72)
    assert client.get(opened).status_code == 200
    later(seconds=1)
    for answer in (client.get(opened), client.post(opened)):
        assert answer.status_code == 404
        assert "This link was good for 72 hours." in text(answer)
    assert told(acme) == ["alice@example.com"]


def test_sent_again_only_the_newest_link_works(
    alice_client: Client, client: Client, acme: Organization, later: Later
) -> None:
    save(alice_client)
    first = link()
    later(hours=80)
    assert "Sent again. Only the newest link works." in again(alice_client)
    second = link()
    assert client.post(first).status_code == 404
    client.post(second)
    assert told(acme) == [BILLS]
    assert "No address waits to be confirmed." in again(alice_client)


def test_a_letter_that_was_overtaken_is_not_sent(alice_client: Client, acme: Organization, later: Later) -> None:
    save(alice_client)
    later(minutes=2)
    save(alice_client, "more@acme.example")
    assert sending.send(now=timezone.now()) == 1
    assert [message.to for message in mail.outbox] == [["more@acme.example"]]
    assert list(Notice.objects.order_by("id").values_list("mail", flat=True)) == [Mail.MUTED, Mail.SENT]
    assert "Not e-mailed: not asked for any more" in text(alice_client.get("/o/acme/alerts"))


def test_nobodys_mailbox_is_filled(alice_client: Client, acme: Organization, later: Later) -> None:
    save(alice_client)
    assert "Wait a minute, then send it again." in again(alice_client)
    assert "Wait a minute, then send it again." in save(alice_client, "more@acme.example")
    assert NoticeSettings.objects.get().asked_email == BILLS, "nothing of the form is kept"
    for _ in range(4):
        later(minutes=2)
        assert "Sent again." in again(alice_client)
    later(minutes=2)
    assert "5 letters were sent within a day. Send it again tomorrow." in again(alice_client)
    later(days=1)
    assert "Sent again." in again(alice_client)


@pytest.mark.parametrize("token", ["x", "eyJvIjoxfQ:abc", "é", "a" * 4_000])
def test_links_that_are_none_of_ours(client: Client, acme: Organization, token: str) -> None:
    where = reverse("billing:billing_email", kwargs={"token": token})
    for answer in (client.get(where), client.post(where)):
        assert answer.status_code == 404
        assert "This link is not one of ours." in text(answer)


def test_a_link_of_another_kind_confirms_nothing(alice_client: Client, acme: Organization) -> None:
    save(alice_client)
    number = NoticeSettings.objects.get().asked_number
    forged = signing.Signer(salt="billing.recharge.stop").sign_object({"o": acme.pk, "n": number})
    with pytest.raises(confirming.LinkOver):
        confirming.read(forged, timezone.now())


@pytest.mark.parametrize("bob_role", ["developer", "viewer"])
def test_who_may_not_move_money_sees_no_address_and_sends_nothing(
    alice_client: Client, bob_client: Client, charlie_client: Client, acme: Organization
) -> None:
    save(alice_client)
    assert BILLS not in text(bob_client.get("/o/acme/alerts"))
    where = "/o/acme/alerts/billing-email/again"
    assert (bob_client.post(where).status_code, charlie_client.post(where).status_code) == (403, 404)


def test_a_name_with_braces_is_a_name(alice_client: Client, alice: User, acme: Organization) -> None:
    User.objects.filter(pk=alice.pk).update(name="{0} {name} Archer")
    save(alice_client)
    link()
    assert "because {0} {name} Archer wants" in str(mail.outbox[-1].body)

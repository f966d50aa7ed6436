"""What staff see of what customers were told."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from billing.notices import announcing
from billing.notices.models import Kind, Mail, Notice
from orgs.models import Organization

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 30, 16, 0, tzinfo=UTC)


@pytest.fixture
def notice(acme: Organization) -> Notice:
    facts: announcing.Facts = {"threshold": "20", "balance": "3", "stop_token": "a-secret"}
    announcing.announce(acme.pk, Kind.LOW_BALANCE, key="1", facts=facts, now=NOW)
    Notice.objects.update(mail=Mail.FAILED, tries=7, error="SMTPDataError")
    return Notice.objects.get()


def test_staff_see_the_words_and_not_the_links(staff_client: Client, notice: Notice) -> None:
    shown = staff_client.get(f"/admin/billing/notice/{notice.pk}/change/").content.decode().replace("\u00a0", " ")
    assert "Credit of Acme Research fell below $20.00 on 30 Mar 2026, 16:00 UTC." in shown
    assert "a-secret" not in shown


def test_staff_find_what_could_not_be_sent_and_send_it_again(staff_client: Client, notice: Notice) -> None:
    shown = staff_client.get("/admin/billing/notice/?mail__exact=failed").content.decode()
    assert "SMTPDataError" in shown
    done = staff_client.post(
        "/admin/billing/notice/", {"action": "send_again", "_selected_action": [notice.pk]}, follow=True
    )
    assert "1 will be sent again within a minute." in done.content.decode()
    notice.refresh_from_db()
    assert (notice.mail, notice.tries, notice.error) == (Mail.WAITING, 0, "")


def test_what_was_sent_is_not_sent_again(staff_client: Client, notice: Notice) -> None:
    Notice.objects.update(mail=Mail.SENT, sent_at=NOW, sent_to=1)
    done = staff_client.post(
        "/admin/billing/notice/", {"action": "send_again", "_selected_action": [notice.pk]}, follow=True
    )
    assert "0 will be sent again" in done.content.decode()
    notice.refresh_from_db()
    assert notice.mail == Mail.SENT

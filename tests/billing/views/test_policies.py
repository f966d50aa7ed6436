"""The cancellation policy as anybody reads it, signed in or not."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from billing.policies import versions
from billing.policies.versions import VERSIONS, Version
from orgs.models import Organization

POLICY = "/policies/cancellation"


def page(client: Client, path: str = POLICY) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().replace("\u00a0", " ").split())


@pytest.mark.django_db
def test_anybody_reads_it_with_its_version_and_date(client: Client, settings: Any) -> None:
    settings.SUPPORT = {**settings.SUPPORT, "email": "bills@acme.example"}
    settings.USAGE_RETENTION_DAYS = 123
    shown = page(client)
    assert 'Version 1, in force since <time datetime="2026-11-21">21 Nov 2026</time>.' in shown
    assert "<li>Open <b>Billing</b> and choose <b>Cancel plan</b>.</li>" in shown
    assert '<a class="link-inline" href="mailto:bills@acme.example">bills@acme.example</a>' in shown
    assert "Kept 123 days" in shown
    assert "{" not in shown[shown.index("<main") : shown.index("</main>")]
    assert "**" not in shown


def test_it_is_linked_where_people_look_for_it(client: Client, alice_client: Client, acme: Organization) -> None:
    assert f'href="{POLICY}"' in page(client, "/accounts/login/")
    for path in ("/o/acme/billing", "/o/acme/settings"):
        assert f'href="{POLICY}"' in page(alice_client, path)


@pytest.mark.django_db
def test_every_version_stays_readable(client: Client) -> None:
    for version in VERSIONS:
        assert f"Version {version.number}, " in page(client, f"{POLICY}/{version.number}")
    for unknown in ("0", "99", "1" * 5000, "-1", "one"):
        assert client.get(f"{POLICY}/{unknown}").status_code == 404


@pytest.mark.django_db
def test_a_version_to_come_is_announced_and_the_old_one_kept(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Version(1, date(2020, 1, 1), ""), Version(2, date(2999, 1, 1), "")
    monkeypatch.setattr(versions, "VERSIONS", (first, second))
    shown = page(client)
    assert "Version 1, in force since" in shown
    assert "Version 2 comes into force on" in shown
    assert "Version 2, in force from" in page(client, f"{POLICY}/2")
    monkeypatch.setattr(versions, "VERSIONS", (first, Version(2, date(2020, 2, 1), "")))
    old = page(client, f"{POLICY}/1")
    assert "no longer in force" in old
    assert "The version that is in force" in old
    assert "You can cancel a plan at any time" in old

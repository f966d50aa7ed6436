"""What staff see in the admin, what they may do there, and who is no staff."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing.metering import gateways, ingest
from billing.metering.models import RefusedUsage, UsageEvent
from billing.webhooks.models import InboxEvent, InboxState
from orgs.models import ApiKey, Organization, User
from tests.factories import catalog, usage
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db

SHOWN = sorted(
    (model for model in admin.site._registry if model._meta.app_label in ("billing", "orgs")),
    key=lambda model: model._meta.label,
)


@pytest.fixture
def some_of_everything(acme: Organization) -> None:
    now = datetime.now(UTC)
    catalog.first_catalog()
    usage.bought(acme, "100.00", now=now)
    usage.given(acme, "20", now=now)
    people.key(acme)
    gateway = gateways.register("eu-1", now=now)
    RefusedUsage.objects.create(
        received_at=now, gateway=gateway, reason="unknown_key", detail="no such key", event_id=str(uuid4()), body={}
    )
    inbound(now)


def inbound(now: datetime, state: InboxState = InboxState.FAILED) -> InboxEvent:
    return InboxEvent.objects.create(
        provider="stripe", provider_event_id=f"evt_{uuid4().hex}", type="charge.succeeded", body="{}", received_at=now,
        state=state, tries=13, next_try_at=now + timedelta(days=1), error="boom",
    )  # fmt: skip


def listing(model: type) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]


def test_the_admin_covers_what_staff_need() -> None:
    assert {model._meta.model_name for model in SHOWN} >= {
        "organization", "user", "apikey", "aimodel", "price", "plan", "wallet", "account", "transfer", "creditgrant",
        "intent", "inboxevent", "refusedusage", "gateway",
    }  # fmt: skip


def test_each_list_and_each_row_opens_under_the_strict_policy(staff_client: Client, some_of_everything: None) -> None:
    for model in SHOWN:
        answer = staff_client.get(listing(model))
        assert answer.status_code == 200, model
        assert "unsafe" not in answer.headers["Content-Security-Policy"], model
        row = apps.get_model(model._meta.label).objects.first()
        if row is not None:
            path = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
            assert staff_client.get(path).status_code == 200, model


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.model_name)
def test_nothing_is_added_or_deleted_here(model: type, staff_client: Client, some_of_everything: None) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # type: ignore[attr-defined]
    assert staff_client.get(reverse(f"{name}_add")).status_code == 403
    row = apps.get_model(model._meta.label).objects.first()  # type: ignore[attr-defined]
    if row is not None:
        assert staff_client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["transfer", "creditgrant", "account", "wallet", "intent"])
def test_money_is_read_only_for_staff_too(model: str, staff_client: Client, some_of_everything: None) -> None:
    row = apps.get_model("billing", model).objects.order_by("-pk").first()
    path = reverse(f"admin:billing_{model}_change", args=[row.pk])
    assert staff_client.post(path, {"amount": "1"}).status_code == 403


def test_customers_and_strangers_do_not_get_in(alice_client: Client, client: Client) -> None:
    assert alice_client.get("/admin/").status_code in (302, 403)
    assert client.get("/admin/").status_code == 302
    assert "/accounts/login/" in client.get("/admin/login/", follow=True).redirect_chain[-1][0]


def test_a_failed_webhook_is_replayed(staff_client: Client) -> None:
    now = datetime.now(UTC)
    event = inbound(now)
    staff_client.post(listing(InboxEvent), {"action": "replay", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.state == InboxState.NEW
    assert event.next_try_at <= datetime.now(UTC)


def test_a_leaked_key_is_revoked(staff_client: Client, acme: Organization) -> None:
    key = people.key(acme).key
    staff_client.post(listing(ApiKey), {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_gateway_that_is_gone_is_retired(staff_client: Client) -> None:
    gateway = gateways.register("gone", now=datetime.now(UTC))
    staff_client.post(listing(type(gateway)), {"action": "retire", "_selected_action": [gateway.pk]})
    gateway.refresh_from_db()
    assert gateway.retired_at is not None


def test_staff_who_may_only_look_have_no_actions(staff: User, staff_client: Client) -> None:
    staff.is_superuser = False
    staff.save()
    staff.user_permissions.add(Permission.objects.get(codename="view_inboxevent"))
    event = inbound(datetime.now(UTC))
    assert b"Replay" not in staff_client.get(listing(InboxEvent)).content
    staff_client.post(listing(InboxEvent), {"action": "replay", "_selected_action": [event.pk]})
    event.refresh_from_db()
    assert event.state == InboxState.FAILED


def test_a_keys_hash_is_never_shown(staff_client: Client, acme: Organization) -> None:
    key = people.key(acme).key
    page = staff_client.get(reverse("admin:orgs_apikey_change", args=[key.pk])).content.decode()
    assert bytes(key.hash).hex() not in page
    assert key.last4 in page


def test_refused_usage_is_taken_in_once_its_model_is_there(staff_client: Client, acme: Organization) -> None:
    now = datetime.now(UTC)
    usage.days(now)
    key = people.key(acme).key
    event = usage.event(key.public_id, now, model="new-model")
    ingest.ingest(usage.batch(event), gateway_id=gateways.register("eu-1", now=now).pk, now=now)
    row = RefusedUsage.objects.get()
    chosen = {"action": "take_in", "_selected_action": [row.pk]}

    assert "0 of 1 are in now" in staff_client.post(listing(RefusedUsage), chosen, follow=True).content.decode()
    catalog.model("new-model")
    assert "1 of 1 are in now" in staff_client.post(listing(RefusedUsage), chosen, follow=True).content.decode()
    assert UsageEvent.objects.get().id == event.id

"""Staff see what was compared with Stripe and what is left to them, and may ask for it now."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing import queue
from billing.payments.models import Intent
from billing.payments.reconciliations import Kind, Reconciliation, ReconciliationFinding, Thing
from orgs.models import Organization, User
from tests.factories import orgs as people
from tests.factories import usage

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 3, 40, tzinfo=UTC)
LIST = reverse("admin:billing_reconciliation_changelist")
RUN = reverse("admin:billing_reconciliation_run")


@pytest.fixture
def staff(db: None) -> User:
    user = people.person("sam@purser.example", "Sam Staff")
    user.is_staff = True
    user.save()
    for codename in ("view_reconciliation", "view_reconciliationfinding", "view_organization", "view_intent"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


@pytest.fixture
def staff_client(staff: User) -> Client:
    return people.signed_in(staff)


@pytest.fixture
def run(acme: Organization) -> Reconciliation:
    usage.bought(acme, "100.00", now=NOW)
    run = Reconciliation.objects.create(
        started_at=NOW, finished_at=NOW + timedelta(seconds=4), through=NOW - timedelta(minutes=10), charges=7, found=1,
        there_cents=107_00, here_cents=100_00,
    )  # fmt: skip
    ReconciliationFinding.objects.create(
        run=run, kind=Kind.LEDGER, thing=Thing.CHARGE, provider_id="ch_1", wallet_id=acme.pk, intent=Intent.objects.get(),
        here_cents=100_00, there_cents=107_00, words="<b>Account 1000</b> says less.", first_seen_at=NOW - timedelta(days=2),
    )  # fmt: skip
    return run


def test_the_list_says_how_each_run_ended(staff_client: Client, run: Reconciliation) -> None:
    Reconciliation.objects.create(started_at=NOW, through=NOW)
    Reconciliation.objects.create(started_at=NOW, finished_at=NOW, through=NOW, error="Unknown: APIConnectionError")
    Reconciliation.objects.create(started_at=NOW, finished_at=NOW, through=NOW)
    page = staff_client.get(LIST).content.decode()
    for words in ("Something is left", "Under way, or its process died", "Not finished: a part only", "All agrees"):
        assert words in page
    assert "$107.00" in page
    assert "$100.00" in page


def test_a_run_shows_what_it_found_and_leads_to_whom_and_what(
    staff_client: Client, run: Reconciliation, acme: Organization
) -> None:
    page = staff_client.get(reverse("admin:billing_reconciliation_change", args=[run.pk])).content.decode()
    assert "Another sum in the ledger: Charge <strong>ch_1</strong>" in page
    assert "&lt;b&gt;Account 1000&lt;/b&gt; says less. (first seen 19 Nov 2026 03:40)" in page
    for name, pk in (("orgs_organization", acme.pk), ("billing_intent", Intent.objects.get().pk)):
        link = reverse(f"admin:{name}_change", args=[pk])
        assert f'href="{link}"' in page
        assert staff_client.get(link).status_code == 200
    everything = reverse("admin:billing_reconciliationfinding_changelist") + f"?run__id__exact={run.pk}"
    assert everything in page
    assert "ch_1" in staff_client.get(everything).content.decode()
    assert "ch_1" not in staff_client.get(everything.replace(str(run.pk), "0")).content.decode()


def test_nothing_is_changed_here(staff: User, staff_client: Client, run: Reconciliation) -> None:
    staff.is_superuser = True
    staff.save()
    for name, row in (("reconciliation", run), ("reconciliationfinding", run.findings.get())):
        address = reverse(f"admin:billing_{name}_change", args=[row.pk])
        assert staff_client.post(address, {"words": "never mind"}).status_code == 403
        assert staff_client.post(reverse(f"admin:billing_{name}_delete", args=[row.pk])).status_code == 403


def test_a_run_is_asked_for_through_the_queue(staff: User, staff_client: Client) -> None:
    staff.user_permissions.add(Permission.objects.get(codename="add_reconciliation"))
    assert "Compare now" in staff_client.get(LIST).content.decode()
    with patch.object(queue, "hint") as hinted:
        answer = staff_client.post(RUN, follow=True)
    assert "Asked for" in answer.content.decode()
    signature, asked = hinted.call_args.args
    assert (signature.task, asked) == ("billing.tasks.reconcile_stripe", True)
    assert not Reconciliation.objects.exists()


def test_who_may_only_look_cannot_ask_for_one(staff_client: Client) -> None:
    assert "Compare now" not in staff_client.get(LIST).content.decode()
    with patch.object(queue, "hint") as hinted:
        assert staff_client.post(RUN).status_code == 403
        assert staff_client.get(RUN).status_code == 405
    hinted.assert_not_called()

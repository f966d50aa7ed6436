"""Staff see what was decided at each month end, and may settle again, which changes nothing that is done."""

from unittest.mock import patch

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing import queue
from orgs.models import Organization, User
from tests.factories import months
from tests.factories import orgs as people

pytestmark = pytest.mark.django_db

LIST = reverse("admin:billing_settlement_changelist")
AGAIN = reverse("admin:billing_settlement_again")


@pytest.fixture
def staff(db: None) -> User:
    user = people.person("sam@purser.example", "Sam Staff")
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_settlement"))
    return user


@pytest.fixture
def staff_client(staff: User) -> Client:
    return people.signed_in(staff)


def test_the_list_says_what_was_decided(staff_client: Client, acme: Organization) -> None:
    months.owing(acme, "25.003")
    months.closed()
    page = staff_client.get(LIST).content.decode()
    for words in ("Acme Research", "To be charged", "$25.003", "$10.00", "$15.003"):
        assert words in page
    one = reverse("admin:billing_settlement_change", args=[months.settlement(acme).pk])
    assert staff_client.get(one).status_code == 200
    assert staff_client.post(one, {"stage": "paid"}).status_code == 403


def test_settling_again_is_asked_for_through_the_queue(staff: User, staff_client: Client) -> None:
    staff.user_permissions.add(Permission.objects.get(codename="add_settlement"))
    assert "Settle again" in staff_client.get(LIST).content.decode()
    with patch.object(queue, "hint") as hinted:
        assert "Asked for" in staff_client.post(AGAIN, follow=True).content.decode()
    asked = [call.args[0].task for call in hinted.call_args_list]
    assert asked == ["billing.tasks.settle_periods", "billing.tasks.collect_settlements"]


def test_who_may_only_look_cannot(staff_client: Client) -> None:
    assert "Settle again" not in staff_client.get(LIST).content.decode()
    with patch.object(queue, "hint") as hinted:
        assert staff_client.post(AGAIN).status_code == 403
        assert staff_client.get(AGAIN).status_code == 405
    hinted.assert_not_called()

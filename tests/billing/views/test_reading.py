"""Pages that show figures: of one instant, without writing, and never mistaken for their parts."""

from collections.abc import Callable
from threading import Thread

import pytest
from django.db import InternalError, connection
from django.test import Client

from billing.ledger.models import Wallet
from billing.views import reading
from orgs.models import Organization


def meanwhile(act: Callable[[], object]) -> None:
    """Done and committed by somebody else."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    other = Thread(target=run)
    other.start()
    other.join()


@pytest.mark.django_db(transaction=True)
def test_figures_of_one_page_are_of_one_instant(acme: Organization) -> None:
    def rename() -> None:
        Organization.objects.filter(pk=acme.pk).update(name="Acme Renamed")

    with reading.one_snapshot():
        assert Organization.objects.get(pk=acme.pk).name == "Acme Research"
        meanwhile(rename)
        assert Organization.objects.get(pk=acme.pk).name == "Acme Research"
    assert Organization.objects.get(pk=acme.pk).name == "Acme Renamed"


@pytest.mark.django_db(transaction=True)
def test_a_page_that_shows_cannot_write(acme: Organization) -> None:
    with pytest.raises(InternalError, match="read-only"), reading.one_snapshot():
        Wallet.objects.filter(pk=acme.pk).update(accrued=0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "path", ["", "usage", "usage?range=24h&by=key", "billing", "billing?kind=money-in&grants=past"]
)
def test_pages_are_shown_outside_of_any_other_transaction(alice_client: Client, acme: Organization, path: str) -> None:
    answer = alice_client.get(f"/o/acme/{path}")
    assert answer.status_code == 200
    assert "no-cache" in answer.headers["Cache-Control"]
    assert "HX-Request" in answer.headers["Vary"]

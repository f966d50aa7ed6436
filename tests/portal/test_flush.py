"""`manage.py flush`: a development database made empty, append-only tables too, and fit for use again."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection

from billing.ledger.models import Account, Wallet
from orgs.models import Organization, User
from portal import roles
from tests.factories import orgs as people
from tests.factories import usage


@pytest.mark.django_db(transaction=True)
def test_everything_is_gone_but_what_the_portal_needs(acme: Organization) -> None:
    house = Account.objects.filter(wallet=0).count()
    usage.given(acme, "5.00", now=acme.created_at)
    call_command("flush", interactive=False, verbosity=0)
    ContentType.objects.clear_cache()
    assert roles.name(connection) == "purser_app"
    assert not User.objects.exists()
    assert list(Wallet.objects.values_list("pk", flat=True)) == [0]
    assert Account.objects.count() == house
    # The guards are awake again, and the next organization has its wallet.
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'")
        assert cursor.fetchone() == (0,)
    again = people.team(people.person("dora@example.com"), "Again")
    given = usage.given(again, "5.00", now=again.created_at)
    assert Account.objects.get(pk=given.account_id).balance == 5


def test_never_in_production(settings: object) -> None:
    settings.PRODUCTION = True  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="In production the books are not emptied"):
        call_command("flush", interactive=False, verbosity=0)

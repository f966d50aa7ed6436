"""A month ends: its statement adds up, people take it home, and it verifies there, whatever happens to the portal since."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from billing import flows
from billing.statements.models import Statement
from orgs.models import Organization, Role
from tests.factories import business, catalog, months
from tests.factories import orgs as people

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("books_are_right")]


def test_a_statement_adds_up_and_verifies_offline(
    acme: Organization, alice_client: Client, bob_client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alice says who they are and buys; two keys are used; March ends and is closed by the clock. Bob, who may only read,
    downloads it and checks it. Usage of March that comes in April changes nothing."""
    catalog.model("gpt-oss-120b")
    details = {"legal_name": "Acme Research GmbH", "address": "Lindenstraße 14\n10969 Berlin", "country": "DE"}
    form = {**details, "tax_id": "DE 136 695 976"}
    assert alice_client.post(reverse("billing:details", args=["acme"]), form).status_code == 302
    prod, batch = (people.key(acme, name, now=moment(1)).key for name in ("prod-api", "eval-batch"))
    business.bought(acme, "25.00", now=moment(2))
    business.used(prod, moment(3), tokens_in=3_000_001, tokens_out=1)  # 1.05000035 + 0.00000075 = 1.0500011
    business.used(batch, moment(4), tokens_in=2_857_142)  # 0.9999997

    april = datetime(2026, 4, 1, 0, 6, tzinfo=UTC)
    assert months.closed(april) >= 1
    flows.issue_statements(now=april)
    statement = Statement.objects.get(wallet=acme.pk, period=date(2026, 3, 1))

    page = bob_client.get(address("statement", statement)).content.decode()
    assert "Acme Research GmbH" in page
    assert 'value="22.9499992"' in page
    assert Decimal(25) - Decimal("1.0500011") - Decimal("0.9999997") == Decimal("22.9499992")

    file = tmp_path / "march.json"
    file.write_bytes(bob_client.get(address("statement_json", statement)).content)
    call_command("verify_statement", str(file))
    assert "13 lines lead from 0.00 to 22.9499992 USD, to the last digit" in capsys.readouterr().out

    business.used(prod, datetime(2026, 3, 31, 23, tzinfo=UTC), tokens_in=9, now=datetime(2026, 4, 2, tzinfo=UTC))
    flows.issue_statements(now=datetime(2026, 4, 2, tzinfo=UTC))
    assert bob_client.get(address("statement_json", statement)).content == file.read_bytes()

    altered = json.loads(file.read_text())
    altered["body"]["closing"] = "23.9499992"
    file.write_text(json.dumps(altered))
    with pytest.raises(SystemExit):
        call_command("verify_statement", str(file))


@pytest.mark.parametrize("bob_role", [Role.VIEWER, Role.DEVELOPER])
def test_who_reads_does_not_say_who_pays(acme: Organization, bob_client: Client, charlie_client: Client) -> None:
    assert bob_client.get(reverse("billing:statements", args=["acme"])).status_code == 200
    assert bob_client.get(reverse("billing:details", args=["acme"])).status_code == 403
    assert charlie_client.get(reverse("billing:statements", args=["acme"])).status_code == 404


def moment(day: int) -> datetime:
    return datetime(2026, 3, day, 9, tzinfo=UTC)


def address(page: str, statement: Statement) -> str:
    return reverse(f"billing:{page}", kwargs={"slug": "acme", "number": statement.name})

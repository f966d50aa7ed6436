"""What people get: pages, PDF, CSV and JSON of one statement say the same, to the same digits."""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing import flows, wording
from billing.statements import exporting, printing, showing, verifier
from billing.statements.models import Receipt, Statement
from tests.billing.statements.conftest import CLOSED, MARCH, Month, close
from tests.billing.statements.test_drafting import BY_HAND

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(march: Month) -> Statement:
    """The statement of March."""
    close(march)
    flows.issue_statements(now=CLOSED)
    return Statement.objects.get(wallet=march.org.pk, period=MARCH)


def address(statement: Statement, kind: str = "") -> str:
    return reverse(f"billing:statement{kind}", kwargs={"slug": "acme", "number": statement.name})


def words(html: str) -> str:
    """What a reader sees, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.replace("</td>", " ").replace("</th>", " ")))


def test_the_page_says_every_digit(alice_client: Client, told: Statement) -> None:
    page = words(alice_client.get(address(told)).content.decode())
    for usd in (*BY_HAND.values(), "8.5000001", "56.5000001"):
        if Decimal(usd):
            assert str(wording.exact(Decimal(usd), 12)) in page, usd
    assert "March 2026" in page
    assert told.name in page
    assert showing.statement(told).hash_in_fours in page
    assert "Usage, less what was taken back" in page


def test_the_list_has_the_newest_first_and_the_month_that_runs(alice_client: Client, told: Statement) -> None:
    page = words(alice_client.get(reverse("billing:statements", args=["acme"])).content.decode())
    assert page.index("Open, closes about") < page.index("March 2026") < page.index("February 2026")
    assert "$56.50" in page


def test_paper_says_what_the_page_says(alice_client: Client, told: Statement) -> None:
    """The same figures, from the same template tags, in the HTML that becomes the PDF."""
    shown = showing.statement(told)
    page = alice_client.get(address(told)).content.decode()
    paper = printing.page("billing/paper/statement.html", shown=shown)
    figures = set(re.findall(r'<data value="[^"]+">.*?</data>', paper.replace("</span></data>", "</span></data>")))
    assert len(figures) > 12
    assert {figure for figure in figures if figure not in page} == set()
    assert f"Statement {told.name}" in paper


def test_the_pdf_is_a_pdf_and_the_same_each_time(alice_client: Client, told: Statement) -> None:
    answer = alice_client.get(address(told, "_pdf"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="statement-{told.name}.pdf"'
    assert answer.content.startswith(b"%PDF-")
    assert alice_client.get(address(told, "_pdf")).content == answer.content


def test_without_pango_the_pdf_says_so_and_everything_else_works(
    alice_client: Client, told: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(html: str) -> bytes:
        raise printing.NoPrinter

    monkeypatch.setattr(printing, "pdf", missing)
    for kind in ("_pdf",):
        answer = alice_client.get(address(told, kind))
        assert answer.status_code == 503
        assert "PDF needs the Pango library" in answer.content.decode()
    assert {alice_client.get(address(told, kind)).status_code for kind in ("", "_csv", "_json")} == {200}


def test_a_library_that_is_not_there_is_no_printer(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("weasyprint"):
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(printing.NoPrinter):
        printing.pdf("<p>")


def test_nothing_is_fetched_for_a_pdf(told: Statement) -> None:
    """Whatever the words are: a picture of the machine's own files or network is not drawn."""
    page = '<img src="file:///etc/hostname"><img src="http://127.0.0.1:1/x">{}'
    assert printing.pdf(page.format("a")) == printing.pdf(page.format("a"))
    assert b"/Image" not in printing.pdf(page.format("a"))


class TestCsv:
    def test_one_amount_a_line_and_they_add_up(self, alice_client: Client, told: Statement) -> None:
        answer = alice_client.get(address(told, "_csv"))
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert tuple(rows[0]) == exporting.HEADER
        balance = [Decimal(row["usd"]) for row in rows if row["section"] == "balance"]
        assert sum(balance[:-1]) == balance[-1] == Decimal("56.5000001")
        used = {row["item"]: row["usd"] for row in rows if row["section"] == "usage by model"}
        assert used == {"odd-one": "1.234560123456", "gpt-oss-120b": "1.20"}

    @pytest.mark.usefixtures("as_owner")
    def test_a_name_never_becomes_a_formula(self, march: Month) -> None:
        march.prod.name = "=HYPERLINK(1)"
        march.prod.save()
        close(march)
        flows.issue_statements(now=CLOSED)
        told = Statement.objects.get(period=MARCH)
        items = {row[3] for row in csv.reader(io.StringIO(exporting.as_csv(told)))}
        assert "'=HYPERLINK(1)" in items


def test_the_json_and_the_verifier_are_there_to_take_away(
    alice_client: Client, told: Statement, tmp_path: Path
) -> None:
    file = json.loads(alice_client.get(address(told, "_json")).content)
    assert verifier.check(json.dumps(file)).number == told.name
    program = alice_client.get(reverse("billing:statement_verifier", args=["acme"])).content.decode()
    assert program == Path(verifier.__file__).read_text()
    assert not re.search(r"^(from|import) (django|billing|orgs)", program, re.MULTILINE)


class TestReceipts:
    def test_a_payment_has_its_receipt_at_once(self, alice_client: Client, march: Month) -> None:
        receipt = Receipt.objects.get(pk=march.second.pk)
        page = words(alice_client.get(reverse("billing:receipt", args=["acme", march.second.pk])).content.decode())
        assert receipt.name in page
        assert "Visa ending 4242" in page
        assert "$60.00" in page
        pdf = alice_client.get(reverse("billing:receipt_pdf", args=["acme", march.second.pk]))
        assert pdf.content.startswith(b"%PDF-")

    def test_it_says_which_debts_it_paid(self, march: Month) -> None:
        """The bank takes the first payment back for good; 1.4999999 of it was used and is owed."""
        from tests.billing.statements.conftest import at
        from tests.factories import business

        business.used(march.prod, at(3, 22), tokens_in=10_000_000)
        business.disputed(march.second, "-60.00", now=at(3, 23), status="lost")
        paid = business.bought(march.org, "80.00", now=at(3, 24))
        shown = showing.receipt(Receipt.objects.get(pk=paid.pk))
        assert shown.amount == shown.overdraft_paid + shown.debt_paid + shown.new_credit == Decimal(80)
        assert shown.debt_paid > 0

    def test_the_pages_of_the_payment_lead_to_it(self, alice_client: Client, march: Month) -> None:
        link = reverse("billing:receipt", args=["acme", march.second.pk])
        purchase = alice_client.get(reverse("billing:purchase", args=["acme", march.second.pk])).content.decode()
        why = alice_client.get(reverse("billing:why", args=["acme", "2026-03.1"])).content.decode()
        assert link in purchase
        assert link in why


def test_what_is_called_otherwise_is_not_there(alice_client: Client, told: Statement) -> None:
    for name in ("S-2026-02-000002", "S-2026-03-2", "s-2026-03-000002", "S-2026-03-000099", "2026-03"):
        assert alice_client.get(reverse("billing:statement", args=["acme", name])).status_code == 404, name


def test_the_number_of_queries_does_not_grow(
    alice_client: Client, told: Statement, django_assert_max_num_queries: Any
) -> None:
    alice_client.get(address(told))
    with django_assert_max_num_queries(10):
        alice_client.get(address(told))
    with django_assert_max_num_queries(10):
        alice_client.get(reverse("billing:statements", args=["acme"]))

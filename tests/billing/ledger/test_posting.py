"""The database refuses what the books could not survive, whoever asks."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing.ledger import posting, wallets
from billing.ledger.chart import Code
from billing.ledger.models import LedgerPeriod, Transfer, Wallet
from billing.ledger.posting import Cause, Entry
from orgs.models import Organization

from .conftest import NOW, buy, promote

pytestmark = pytest.mark.django_db


def entry(org_id: int, debit: int, credit: int, key: str, amount: str = "1", note: str = "") -> Entry:
    return Entry(org_id, debit, credit, Decimal(amount), "test", key, Cause("test", key), NOW, note=note)


def refused(sql: str, *values: Any) -> str:
    with pytest.raises(Exception) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(error.value)


def test_each_month_of_an_organization_is_a_chain_of_its_own(org: int) -> None:
    buy(org, "10.00", at=NOW)
    buy(org, "20.00", at=NOW)
    buy(org, "30.00", at=NOW + timedelta(days=31))

    chains = list(Transfer.objects.order_by("id").values_list("period", "seq"))
    assert chains == [(date(2026, 3, 1), 1), (date(2026, 3, 1), 2), (date(2026, 4, 1), 1)]


def test_a_note_is_kept_outside_the_hash_and_only_its_digest_inside(org: int) -> None:
    account = buy(org, "10.00").account_id
    posting.post([entry(org, account, Code.GOODWILL, "k", note="asked by phone")], now=NOW)
    transfer = Transfer.objects.get(key="k")
    assert transfer.note.text == "asked by phone"
    assert transfer.note_digest is not None
    assert len(transfer.note_digest) == 32


@pytest.mark.usefixtures("as_owner")
@pytest.mark.books_differ("closed_month_settled")
def test_a_closed_month_takes_nothing_more_and_what_comes_late_goes_to_the_oldest_open_one(org: int) -> None:
    account = buy(org, "10.00").account_id
    april = datetime(2026, 4, 1, tzinfo=UTC)
    LedgerPeriod.objects.filter(wallet=org).update(closed_at=april)
    posting.post([entry(org, account, Code.GOODWILL, "late")], now=april)
    assert Transfer.objects.get(key="late").period == date(2026, 4, 1)


@pytest.mark.usefixtures("as_owner")
@pytest.mark.parametrize("table", ["transfer", "credit_grant"])
def test_rows_are_for_ever_even_for_the_owner(org: int, table: str) -> None:
    promote(org, "5")
    assert "append-only" in refused(f"UPDATE {table} SET org_id = org_id")
    assert "append-only" in refused(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert "append-only" in refused(f"TRUNCATE {table} CASCADE")


class TestForgedTransfers:
    """A row written beside `posting` is refused by the trigger."""

    @pytest.fixture
    def forge(self, org: int) -> Callable[..., str]:
        grant = buy(org, "10.00")
        good = Transfer.objects.get()

        def insert(**changed: object) -> str:
            row = {
                "org_id": org, "period": good.period, "seq": 2, "debit_id": grant.account_id, "credit_id": 4900,
                "amount": Decimal(1), "reason": "test", "key": "forged", "cause_kind": "test", "cause_id": "1",
                "effective_at": NOW, "posted_at": NOW, "hash": b"\0" * 32,
            } | changed  # fmt: skip
            return refused(
                f"INSERT INTO transfer ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", *row.values()
            )

        return insert

    def test_wrong_hash(self, forge: Callable[..., str]) -> None:
        assert "transfer_hash_wrong" in forge()

    def test_gap(self, forge: Callable[..., str]) -> None:
        assert "transfer_number_out_of_order" in forge(seq=3)

    def test_number_twice(self, forge: Callable[..., str]) -> None:
        assert "transfer_numbered_once" in forge(seq=1)

    def test_another_organizations_account(self, forge: Callable[..., str]) -> None:
        other = Organization.objects.create(kind="team", slug="other", name="Other")
        assert "transfer_foreign_account" in forge(debit_id=promote(other.pk, "5", key="other").account_id)

    @pytest.mark.parametrize("amount", ["0", "-1", "NaN", "10000000000000"])
    def test_amount(self, forge: Callable[..., str], amount: str) -> None:
        assert "transfer_amount_positive" in forge(amount=amount)

    def test_same_account_twice(self, forge: Callable[..., str]) -> None:
        assert "transfer_between_two_accounts" in forge(debit_id=4900)

    def test_separator_in_a_key(self, forge: Callable[..., str]) -> None:
        assert "transfer_no_separator" in forge(key="a|b")

    def test_key_twice(self, forge: Callable[..., str]) -> None:
        key = Transfer.objects.get().key
        assert "transfer_key" in forge(key=key)


def test_a_grant_cannot_be_overdrawn(org: int) -> None:
    account = buy(org, "10.00").account_id
    with pytest.raises(IntegrityError, match="account_"), transaction.atomic():
        posting.post([entry(org, account, Code.BREAKAGE, "too much", "10.01")], now=NOW)


@pytest.mark.django_db(transaction=True)
def test_many_posters_at_once_leave_one_unbroken_chain(org: int) -> None:
    account = buy(org, "100.00").account_id
    start = threading.Barrier(4)
    faults: list[BaseException] = []

    def poster(name: int) -> None:
        try:
            start.wait()
            for n in range(10):
                with transaction.atomic():
                    wallets.lock([org])
                    posting.post([entry(org, account, Code.BREAKAGE, f"{name}:{n}")], now=NOW)
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=poster, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert Wallet.objects.get(pk=org).posted == 60
    assert LedgerPeriod.objects.get(wallet=org).seq == 41

"""A payment that is credited is told of once, with what it paid for."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.limits import publishing
from billing.money import ZERO
from billing.notices import rendering
from billing.notices.models import Kind, Notice
from billing.payments import credited, outcomes
from orgs.models import Organization, User
from tests.factories import recharging, usage

from .test_outcomes import DECLINED, NOW, PAID, WAITING, begin, settle

pytestmark = pytest.mark.django_db


def told() -> list[Notice]:
    return list(Notice.objects.filter(kind=Kind.RECEIPT))


def test_a_purchase_is_receipted_once(acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    settle(intent, WAITING)
    assert told() == []
    for hours in range(3):
        settle(intent, PAID, at=NOW + timedelta(hours=hours))
    (notice,) = told()
    assert (notice.wallet_id, notice.key, notice.created_at) == (acme.pk, f"receipt:{intent.pk}", NOW)
    assert notice.facts == {
        "intent": str(intent.pk), "amount": "100.00", "purpose": "credits", "card_brand": "visa", "card_last4": "4242",
        "charged_at": "2026-04-14T12:41:03+00:00", "overdraft_paid": "0.000000000000", "debt_paid": "0",
        "new_credit": notice.facts["new_credit"], "expires_at": "2027-04-14T12:42:00+00:00",
    }  # fmt: skip
    assert Decimal(notice.facts["new_credit"]) == 100
    assert rendering.letter(notice).sentences[0].replace("\u00a0", " ") == (
        "Charged to Visa ending 4242 on 14 Apr 2026, 12:41 UTC."
    )


def test_what_pays_off_an_overdraft_says_how_much(acme: Organization, alice: User) -> None:
    usage.given(acme, "1", now=NOW)
    usage.spent(acme, "5.25", now=NOW)
    intent = begin(acme, alice)
    settle(intent, PAID)
    assert credited.parts(intent) == credited.Parts(
        Decimal("4.25"), ZERO, Decimal("95.75"), PAID.charged_at.replace(year=2027, minute=42, second=0)
    )
    rows = {row.label: row.value for row in rendering.letter(told()[0]).rows}
    assert rows == {
        "Overdraft paid": "$4.25", "Credit for Acme Research": "$95.75", "Tax": "$0.00", "Paid": "$100.00",
    }  # fmt: skip


def test_what_is_not_paid_is_not_receipted(acme: Organization, alice: User) -> None:
    settle(begin(acme, alice), DECLINED)
    settle(begin(acme, alice), outcomes.Unknown())
    assert told() == []


def test_money_without_a_place_is_not_receipted_as_credit(acme: Organization, alice: User) -> None:
    settle(begin(acme, alice), replace(PAID, amount_cents=99_00))
    assert told() == []


def test_a_recharge_tells_of_itself(acme: Organization, alice: User) -> None:
    recharging.on(acme, alice)
    recharging.paid(recharging.begun(acme))
    assert told() == []


def test_a_failed_payment_that_arrives_after_all_is_receipted(acme: Organization, alice: User) -> None:
    intent = begin(acme, alice)
    settle(intent, DECLINED)
    settle(intent, PAID, at=NOW + timedelta(days=1))
    assert len(told()) == 1


def test_neither_the_credit_without_the_receipt_nor_the_other_way(
    acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = begin(acme, alice)

    def breaks(*given: object, **named: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(publishing, "publish", breaks)
    with pytest.raises(RuntimeError):
        settle(intent, PAID)
    assert told() == []

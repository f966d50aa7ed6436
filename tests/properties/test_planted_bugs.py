"""The machine finds what it is there to find: each bug planted here is seen within a bounded number of examples."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.ledger import accounts, burndown, expiry, grants, takebacks, whereabouts
from billing.ledger.chart import Code
from billing.ledger.models import Account
from billing.metering import charging, returning
from billing.money import ZERO, cents_up
from billing.payments import refunds
from tests import figures as counted
from tests.figures import Record
from tests.properties import driving
from tests.properties.world import Cast

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

EXAMPLES = 60
"""At most so many, of 50 steps each; most bugs are found within five."""

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def burn_down_by_age(patch: Patch) -> None:
    patch.setattr(burndown, "in_order", lambda sources: sorted(sources, key=lambda source: source.account_id))


def paid_before_promotional(patch: Patch) -> None:
    def in_order(sources: Any) -> Any:
        return sorted(sources, key=lambda source: (source.expires_at, source.promotional, source.account_id))

    patch.setattr(burndown, "in_order", in_order)


def an_ended_grant_pays_for_later_use(patch: Patch) -> None:
    patch.setattr(burndown, "_payable", lambda queue, left, minute: (n for n in range(len(queue)) if left[n] > ZERO))


def expiry_does_not_wait_for_late_use(patch: Patch) -> None:
    patch.setattr(expiry, "_complete", lambda now, watermark: now)


def expiry_before_what_was_used_is_drawn(patch: Patch) -> None:
    patch.setattr(charging, "drain", lambda org_ids, *, now: 0)


def debt_is_paid_before_overdraft(patch: Patch) -> None:
    pay = grants.pay_debts

    def debt_first(account: Account, amount: Decimal, *, suffix: str, now: datetime) -> None:
        debt = Account.objects.get(pk=accounts.of(account.wallet_id, Code.CLAWBACK_DEBT))
        if account.code == Code.CREDIT_PAID and debt.balance:
            with pytest.MonkeyPatch.context() as only_debt:
                only_debt.setattr(accounts, "of", lambda org_id, code: debt.pk)
                pay(account, amount, suffix=suffix, now=now)
        else:
            pay(account, amount, suffix=suffix, now=now)

    patch.setattr(grants, "pay_debts", debt_first)


def refunds_are_rounded_up(patch: Patch) -> None:
    patch.setattr(refunds, "cents_down", cents_up)


def a_withdrawal_forgets_what_expired(patch: Patch) -> None:
    patch.setattr(whereabouts, "_expired", lambda payment, grant_ids: ZERO)


def a_hold_is_never_released(patch: Patch) -> None:
    patch.setattr(takebacks, "release", lambda payment, *, now: None)


def a_released_grant_gets_no_time_back(patch: Patch) -> None:
    patch.setattr(takebacks, "_prolong", lambda grant, away: None)


def a_failed_refund_returns_nothing(patch: Patch) -> None:
    give_back = takebacks.give_back

    def only_disputes(payment: Any, act: Any, *given: Any, **more: Any) -> Any:
        return give_back(payment, act, *given, **more) if act.of_dispute else []

    patch.setattr(takebacks, "give_back", only_disputes)


def reversed_use_goes_to_the_grant_drawn_first(patch: Patch) -> None:
    shares = returning.shares
    patch.setattr(returning, "shares", lambda amount, sources: shares(amount, sources[::-1]))


BUGS: tuple[Plant, ...] = (
    burn_down_by_age,
    an_ended_grant_pays_for_later_use,
    a_hold_is_never_released,
    paid_before_promotional,
    expiry_does_not_wait_for_late_use,
    debt_is_paid_before_overdraft,
    refunds_are_rounded_up,
    a_withdrawal_forgets_what_expired,
    a_released_grant_gets_no_time_back,
    a_failed_refund_returns_nothing,
    reversed_use_goes_to_the_grant_drawn_first,
)
ALWAYS = 3
"""So many of them are planted in `make test` too."""


@pytest.mark.parametrize("plant", BUGS[: counted.of(ALWAYS, full=len(BUGS))], ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, cast: Cast, monkeypatch: Patch, figures: Record) -> None:
    plant(monkeypatch)
    found = driving.first_difference(cast, examples=EXAMPLES)
    assert found is not None, f"{plant.__name__} was not noticed"
    figures("state_machine", planted=1, found=1)

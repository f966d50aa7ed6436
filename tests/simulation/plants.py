"""Bugs planted into Purser: each makes it wrong without breaking it, and each must be caught."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import uuid4

from django.test import override_settings

from billing import tasks
from billing.contracts import months, overage
from billing.coverage.models import Payer
from billing.ledger import burndown, debts, expiry, receivables, takebacks
from billing.metering import charging, returning, standing, storing
from billing.money import ZERO
from billing.payments import disputes, gateway, methods, polling
from billing.recharge import figures
from billing.subscriptions import hearing, prices, renewals
from billing.subscriptions.models import Change, Subscription
from billing.webhooks import stripe
from tests.simulation import parties
from tests.simulation.parties import Personality


def _instead(of: Any, name: str, by: Any) -> AbstractContextManager[Any]:
    return mock.patch.object(of, name, by)


def _all(*plants: AbstractContextManager[Any]) -> AbstractContextManager[Any]:
    with_all = ExitStack()
    for plant in plants:
        with_all.enter_context(plant)
    return with_all


def _no_night() -> AbstractContextManager[Any]:
    """Stripe's lists and the books are never compared."""
    return mock.patch.object(tasks, "reconcile_stripe", return_value=None)


def a_refund_has_no_key_of_its_own() -> AbstractContextManager[Any]:
    """Asked again after an unknown outcome, Stripe refunds again."""
    create = gateway.create_refund
    return _instead(gateway, "create_refund", lambda new, *, key: create(new, key=uuid4().hex))


def nobody_asks_about_payments() -> AbstractContextManager[Any]:
    """A webhook that is lost is lost: neither the poller nor the night's comparison makes up for it."""
    return _all(_instead(polling, "poll", lambda apply, *, now: 0), _no_night())


def credit_ends_before_late_usage_came() -> AbstractContextManager[Any]:
    return _instead(expiry, "_complete", lambda now, watermark: now)


def free_usage_is_paid() -> AbstractContextManager[Any]:
    who_pays = standing.who_pays

    def paid(base: standing.Base, *about: Any) -> Any:
        payer, coverage = who_pays(base, *about)
        return (Payer.CREDITS if payer == Payer.FREE else payer), coverage

    return _instead(standing, "who_pays", paid)


def paid_credit_burns_before_gifts() -> AbstractContextManager[Any]:
    def in_order(sources: Any) -> Any:
        return sorted(sources, key=lambda source: (source.promotional, source.expires_at, source.account_id))

    return _instead(burndown, "in_order", in_order)


def an_ended_grant_pays_for_later_use() -> AbstractContextManager[Any]:
    return _instead(burndown, "_payable", lambda queue, left, minute: (n for n in range(len(queue)) if left[n] > ZERO))


def usage_is_taken_before_it_is_charged() -> AbstractContextManager[Any]:
    """The sweep without its transaction: where the power goes in between, what was accepted is gone."""
    return _instead(charging, "transaction", SimpleNamespace(atomic=nullcontext))


def what_came_twice_counts_twice() -> AbstractContextManager[Any]:
    """The sums of a batch with repeats are those of all its events."""
    delta = "FROM new GROUP BY 1, 2, 3, 4, 5, 6, 7"
    every = (
        "FROM (SELECT e.id, e.occurred_at, r.org_id, r.key_id, nullif(r.coverage_id, 0) AS coverage_id, r.price_id,"
        " r.model_id, r.payer, e.input_tokens, e.cached_tokens, e.output_tokens"
        " FROM batch e JOIN rate r ON r.n = e.rate) every"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7"
    )

    return _all(
        _instead(storing, "ACCEPT_ANY", storing.ACCEPT_ANY.replace(delta, every)),
        _instead(storing, "ACCEPT_TIMED", storing.ACCEPT_TIMED.replace(delta, every)),
    )


def the_price_of_today_holds_for_yesterday() -> AbstractContextManager[Any]:
    return _instead(standing, "price_in_force", lambda model, at: model.prices[-1][1] if model.prices else None)


def a_reversal_gives_nothing_back() -> AbstractContextManager[Any]:
    return _instead(returning, "give_back", lambda wanted, *, now: None)


def a_dispute_is_never_released() -> AbstractContextManager[Any]:
    return _instead(takebacks, "release", lambda payment, *, now: None)


def what_a_bank_reinstates_is_not_booked() -> AbstractContextManager[Any]:
    book = disputes._book

    def withdrawals_only(movement: Any, *about: Any) -> None:
        if movement.amount_cents < 0:
            book(movement, *about)

    return _instead(disputes, "_book", withdrawals_only)


def debts_are_let_go_after_a_week() -> AbstractContextManager[Any]:
    return _instead(debts, "WRITTEN_OFF_AFTER", timedelta(days=7))


def refunds_in_the_dashboard_are_not_heard_of() -> AbstractContextManager[Any]:
    """Only the webhook tells of them, where the night does not compare."""
    deaf = {type_: act for type_, act in stripe.MEANS.items() if "refund" not in type_}
    return _all(_instead(stripe, "MEANS", deaf), _no_night())


def a_card_is_charged_under_another_key_each_time() -> AbstractContextManager[Any]:
    """Asked again after an unknown outcome, Stripe charges again."""
    charge = gateway.charge_card
    return _instead(gateway, "charge_card", lambda new, *, key: charge(new, key=uuid4().hex))


def the_cap_of_auto_recharge_is_forgotten() -> AbstractContextManager[Any]:
    terms = figures.terms
    return _instead(figures, "terms", lambda rule: replace(terms(rule), cap_cents=None, per_day=50))


def a_removed_card_stays() -> AbstractContextManager[Any]:
    """The page says that it is removed."""
    return _instead(
        methods, "_detach", lambda method, now: methods._tell(method, "removed", f"{method.pk}:removed", now)
    )


def another_card_becomes_the_default_by_itself() -> AbstractContextManager[Any]:
    detach = methods._detach

    def promotes(method: Any, now: Any) -> None:
        was_default = method.is_default
        detach(method, now)
        other = methods.of(method.wallet_id).first() if was_default else None
        if other is not None:
            other.is_default = True
            other.save(update_fields=["is_default"])

    return _instead(methods, "_detach", promotes)


def the_end_of_a_month_charges_all_that_is_owed() -> AbstractContextManager[Any]:
    return override_settings(OVERDRAFT_CEILING_USD=Decimal(10_000))


def a_plan_is_renewed_before_its_time() -> AbstractContextManager[Any]:
    """Whoever paid for a month is charged for the next one when the clock comes by again."""
    paid = renewals.paid

    def and_again(charge: Any, *, now: Any) -> bool:
        renewed = paid(charge, now=now)
        Subscription.objects.filter(pk=charge.subscription_id, next_at__isnull=False).update(next_at=now)
        return renewed

    return mock.patch.dict(hearing.PAID, {"renewal": and_again})


def an_upgrade_costs_the_whole_month() -> AbstractContextManager[Any]:
    return _instead(prices, "difference", lambda *, new_cents, charged_cents, **when: new_cents - charged_cents)


def use_under_a_plan_is_paid() -> AbstractContextManager[Any]:
    who_pays = standing.who_pays

    def paid(base: standing.Base, *about: Any) -> Any:
        payer, coverage = who_pays(base, *about)
        return (Payer.CREDITS, None) if payer == Payer.SUBSCRIPTION else (payer, coverage)

    return _instead(standing, "who_pays", paid)


def what_was_scheduled_is_forgotten() -> AbstractContextManager[Any]:
    """It is said to have happened, and nothing has."""

    def forgets(running: Subscription, now: Any) -> bool:
        Change.objects.filter(subscription=running, withdrawn_at=None, applied_at=None).update(applied_at=now)
        return True

    return _instead(renewals, "_apply_change", forgets)


def a_fee_is_revenue_when_it_is_paid() -> AbstractContextManager[Any]:
    return _instead(prices, "earned", lambda cents, *, start, end, until: cents)


def a_commitment_is_due_twice() -> AbstractContextManager[Any]:
    begin, owed = months.begin, receivables.owed

    def twice(contract: Any, period: Any, *, now: Any) -> Any:
        month = begin(contract, period, now=now)
        due = month.dues.filter(what="commitment").first()
        if due is not None and month.dues.filter(what="commitment").count() == 1:
            due.pk, due.number, due.stage, due.intent, due.tries = None, 2, "due", None, 0
            due.next_try_at = now
            due.save(force_insert=True)
        return month

    return _all(_instead(months, "begin", twice), _instead(receivables, "owed", lambda org_id: owed(org_id) + 1000))


def overage_is_never_charged() -> AbstractContextManager[Any]:
    return _instead(overage, "take_up", lambda org_ids, *, at_least, now: 0)


@dataclass(frozen=True)
class Plant:
    """A bug, and the world in which it shows: who lives there, for how many days. `cut`: how often the power goes."""

    bug: Callable[[], AbstractContextManager[Any]]
    among: Personality
    days: int = 40
    cut: float = 0.03

    def __str__(self) -> str:
        return self.bug.__name__


PLANTS = (
    Plant(what_came_twice_counts_twice, parties.STEADY),
    Plant(paid_credit_burns_before_gifts, parties.GIFTED, days=60),
    Plant(the_price_of_today_holds_for_yesterday, parties.STEADY),
    Plant(free_usage_is_paid, parties.FREE),
    Plant(an_ended_grant_pays_for_later_use, parties.GIFTED, days=60),
    Plant(credit_ends_before_late_usage_came, parties.GIFTED),
    Plant(a_dispute_is_never_released, parties.DISPUTES, days=80),
    Plant(a_reversal_gives_nothing_back, parties.STEADY, days=60),
    Plant(usage_is_taken_before_it_is_charged, parties.STEADY, cut=0.2),
    Plant(a_refund_has_no_key_of_its_own, parties.REFUNDED, days=60, cut=0.1),
    Plant(nobody_asks_about_payments, parties.BROKE),
    Plant(debts_are_let_go_after_a_week, parties.DISPUTES, days=80),
    Plant(refunds_in_the_dashboard_are_not_heard_of, parties.REFUNDED, days=60),
    Plant(the_cap_of_auto_recharge_is_forgotten, parties.RECHARGED, days=80),
    Plant(a_removed_card_stays, parties.CHANGES_CARDS, days=60),
    Plant(an_upgrade_costs_the_whole_month, parties.PLANNED, days=20),
    Plant(use_under_a_plan_is_paid, parties.PLANNED, days=10),
    Plant(what_was_scheduled_is_forgotten, parties.PLANNED, days=45),
    Plant(a_plan_is_renewed_before_its_time, parties.PLANNED, days=45),
    Plant(a_commitment_is_due_twice, parties.CONTRACTED, days=40),
    Plant(overage_is_never_charged, parties.CONTRACTED, days=65),
    Plant(a_fee_is_revenue_when_it_is_paid, parties.PLANNED, days=26),
    # These take long to be seen.
    Plant(a_card_is_charged_under_another_key_each_time, parties.RECHARGED, days=60, cut=0.1),
    Plant(what_a_bank_reinstates_is_not_booked, parties.DISPUTES, days=80),
    Plant(another_card_becomes_the_default_by_itself, parties.CHANGES_CARDS, days=60),
    Plant(the_end_of_a_month_charges_all_that_is_owed, parties.OVERSPENDS),
)

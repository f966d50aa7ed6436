"""Money on its way back while its credit is used, ends, or goes back once more; against Stripe's sandbox over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from billing import flows
from billing.ledger import wallets
from billing.ledger.models import CreditGrant
from billing.payments import gateway, outcomes, polling, refunding, refunds
from billing.payments.models import Refund, RefundState
from billing.payments.refunds import RefundRefused
from sandbox.stripe import Running
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.guards import POSTING, REFUSED, Control, dropped, uncharged
from tests.races.scenes import (
    COST,
    NEXT_YEAR,
    NOW,
    OVER_HTTP,
    World,
    available,
    begun,
    by_staff,
    charged,
    moved,
    on_its_way,
    refund_order,
    refunded,
)

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_refund_and_charging(arena: Arena, world: World, stripe: Running) -> None:
    """What was used before is never refunded, whether it was charged or not: 3.40 of 10.00 are used."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)
        world.used(world.key(team), events=8)
        cents = 8_00 if turn % 2 else 5_00

        def wrong(answers: list[Any]) -> Anomalies:
            back = 0 if cents == 8_00 else 5
            return [
                *raised(answers, RefundRefused),
                *differs("refused", isinstance(answers[0], RefundRefused), back == 0),
                *differs("refunded", refunded(team), back),
                *differs("available", available(team), 10 - 8 * COST - back),
            ]

        return Race([by_staff(world, intent, cents), lambda: flows.sweep(now=NOW)], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    # The refund neither locks nor charges first: both have read the whole 10.00.
    with arena.unguarded(Control(locks=False, meet_at=f"{POSTING}|INSERT INTO accrual ")):
        with uncharged(0):
            arena.breaks(prepare, f"{REFUSED}|refused: False")


def test_two_refunds_of_one_payment_are_never_more_than_it(arena: Arena, world: World, stripe: Running) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers, RefundRefused),
                *differs("refused", sum(isinstance(answer, RefundRefused) for answer in answers), 1),
                *differs("refunded", refunded(team), 6),
                *differs("available", available(team), 4),
            ]

        return Race([by_staff(world, intent, 6_00), by_staff(world, intent, 6_00)], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    # Both have seen that 10.00 are left: neither is refused here, so it takes the database or Stripe to refuse one.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "refund"')):
        arena.breaks(prepare, f"{REFUSED}|refused: 0")


def test_one_form_sent_three_times_at_once_is_one_refund(arena: Arena, world: World, stripe: Running) -> None:
    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)
        again = by_staff(world, intent, 3_00, uuid4())

        def wrong(answers: list[Any]) -> Anomalies:
            made = {answer.pk for answer in answers if isinstance(answer, Refund)}
            return [
                *raised(answers),
                *differs("refunds", len(made), 1),
                *differs("refunded", refunded(team), 3),
                *differs("available", available(team), 7),
            ]

        return Race([again] * 3, wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    # All have found no earlier refund of this form.
    with dropped("refund", "refund_key_key"):
        with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "refund"')):
            arena.breaks(prepare, REFUSED)


def test_whoever_tells_of_a_refund_it_is_settled_once(arena: Arena, world: World, stripe: Running) -> None:
    """The answer to the request, a webhook and the poller, which asks Stripe once more."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)
        with transaction.atomic():
            wallets.lock([team.pk])
            refund = refunds.ask(refund_order(world, intent, 4_00), now=NOW)
        told = refunding.send(refund.pk, now=NOW)

        def tell() -> Refund | None:
            return flows.refund_told(told, now=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            refund.refresh_from_db()
            return [
                *raised(answers),
                *differs("state", refund.state, RefundState.SUCCEEDED),
                *differs("refunded", refunded(team), 4),
                *differs("on its way", on_its_way(team), 0),
                *differs("available", available(team), 6),
            ]

        poll = lambda: flows.refund_told(refunding.look(refund.pk, now=NOW), now=NOW)  # noqa: E731
        return Race([tell, tell, poll], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_refund_made_elsewhere_is_told_by_three_at_once(arena: Arena, world: World, stripe: Running) -> None:
    """Nobody asked for it here: whoever hears first writes it down, together with what it takes."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)
        told = gateway.read_refund(stripe.admin.refund(intent.charge_id or "", amount=4_00)["id"])

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("refunds", Refund.objects.filter(intent=intent).count(), 1),
                *differs("refunded", refunded(team), 4),
                *differs("on its way", on_its_way(team), 0),
                *differs("available", available(team), 6),
            ]

        return Race([lambda: flows.refund_told(told, now=NOW)] * 3, wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    # All have found nothing of it here; then only its name at Stripe, being unique, stands in the way.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "refund"')):
        arena.breaks(prepare, "refund_key_key|refund_provider_id_key")


def test_a_refund_is_told_before_its_payment(arena: Arena, world: World, stripe: Running) -> None:
    """Made elsewhere before we heard of the payment: whoever needs the payment settles it, and it is settled once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = begun(stripe, world, team, 10_00)
        outcome = polling.ask(intent.pk, now=NOW)
        assert isinstance(outcome, outcomes.Paid)
        told = gateway.read_refund(stripe.admin.refund(outcome.charge_id, amount=4_00)["id"])

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("grants", CreditGrant.objects.filter(wallet=team.pk).count(), 1),
                *differs("refunded", refunded(team), 4),
                *differs("available", available(team), 6),
            ]

        settle = lambda: flows.payment_outcome(intent.pk, outcome, now=NOW)  # noqa: E731
        tell = lambda: flows.refund_told(told, now=NOW)  # noqa: E731
        return Race([settle, tell, tell], wrong)

    arena.holds(prepare, rounds=OVER_HTTP)
    # All have read that the payment is open, and none asks whether it is credited.
    credited = {r'("credit_grant"."key" = %s)': r"\1 AND false"}
    with arena.unguarded(Control(locks=False, without=credited, meet_at='^UPDATE "payment_intent"')):
        arena.breaks(prepare, f"credit_grant_payment_id_key|credit_grant_key_key|{REFUSED}")


def test_a_refund_and_expiry(arena: Arena, world: World, stripe: Running) -> None:
    """A refund made elsewhere of credit that ends in this moment: from the grant or from breakage, but once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)
        told = gateway.read_refund(stripe.admin.refund(intent.charge_id or "", amount=4_00)["id"])

        def wrong(answers: list[Any]) -> Anomalies:
            flows.expire(now=NEXT_YEAR)
            return [
                *raised(answers),
                *differs("refunded", refunded(team), 4),
                *differs("on its way", on_its_way(team), 0),
                *differs("breakage", moved(team, 2000, 4900) - moved(team, 4900, 2300), 6),
                *differs("available", available(team, NEXT_YEAR), 0),
            ]

        return Race(
            [lambda: flows.refund_told(told, now=NEXT_YEAR), lambda: flows.expire(now=NEXT_YEAR)], wrong
        )  # fmt: skip

    arena.holds(prepare, rounds=OVER_HTTP)
    # Both have read that 10.00 are left of the grant.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)

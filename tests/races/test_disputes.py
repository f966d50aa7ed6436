"""Disputes told twice, out of order, and beside everything else that moves the same credit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from billing import flows
from billing.ledger import debts
from billing.metering import charging
from billing.payments import answers, disputes, gateway
from billing.payments.models import Dispute, DisputeMovement, Intent, Purpose
from billing.payments.refunds import RefundRefused
from orgs.models import Organization
from sandbox.stripe import Running
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.crew import here
from tests.races.guards import Control, function
from tests.races.scenes import COST, NOW, World, asked, available, charged, moved, opened, paid
from tests.races.test_credit import POSTING, REFUSED, settling
from tests.races.test_refunds import NEXT_YEAR, ROUNDS, by_staff, on_its_way

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def bought(team: Organization, cents: int) -> Intent:
    """Credit that was paid for by card."""
    intent = opened(team, cents)
    flows.payment_outcome(intent.pk, paid(intent), now=NOW)
    intent.refresh_from_db()
    return intent


def said(intent: Intent, *moves: int, status: str = "needs_response", cents: int | None = None) -> answers.Dispute:
    """What Stripe says of the dispute of this payment: in cents, below zero it withdrew, above it reinstated."""
    id_ = f"dp_{intent.pk.hex}"
    movements = tuple(
        answers.Movement(f"txn_{id_}_{n}", amount, "usd", NOW + timedelta(minutes=n)) for n, amount in enumerate(moves)
    )
    return answers.Dispute(
        id_, status, "fraudulent", cents or intent.amount_cents, "usd", intent.charge_id or "", intent.provider_id or "",
        NOW, movements,
    )  # fmt: skip


def telling(what: answers.Dispute, *, now: datetime = NOW) -> Callable[[], Dispute | None]:
    return lambda: flows.dispute_told(what, now=now)


def disputed(team: Organization) -> Decimal:
    """What disputes took from Stripe, less what they gave back, by the ledger."""
    total: Decimal = asked(
        "SELECT coalesce(sum(CASE WHEN credit_id = 1000 THEN amount ELSE -amount END), 0) FROM transfer "
        "WHERE org_id = %s AND cause_kind = 'dispute' AND 1000 IN (debit_id, credit_id)",
        team.pk,
    )  # fmt: skip
    return total


def balance(team: Organization, code: int) -> Decimal:
    total: Decimal = asked(
        "SELECT coalesce(sum(balance - accrued), 0) FROM account WHERE org_id = %s AND code = %s", team.pk, code
    )
    return total


def spent(world: World, team: Organization, events: int) -> None:
    world.used(world.key(team), events=events)
    flows.sweep(now=NOW)


def test_a_withdrawal_told_by_four_at_once(arena: Arena, world: World) -> None:
    """The dispute and its movement are booked by whoever is first."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)
        spent(world, team, 10)

        def wrong(answers: list[Any]) -> Anomalies:
            return [
                *raised(answers),
                *differs("movements", DisputeMovement.objects.filter(wallet=team.pk).count(), 1),
                *differs("withdrawn", disputed(team), 10),
                *differs("debt", balance(team, 1110), -10 * COST),
                *differs("available", available(team), -10 * COST),
            ]

        return Race([telling(said(intent, -10_00))] * 4, wrong)

    arena.holds(prepare)
    # All have found no such dispute; then only its name at Stripe, being unique, stands in the way.
    with arena.unguarded(Control(locks=False, meet_at='^INSERT INTO "dispute"')):
        arena.breaks(prepare, "dispute_provider_id_key")


def test_the_phases_of_a_dispute_told_in_any_order(arena: Arena, world: World) -> None:
    """Opened, withdrawn, under review and won, all at once: in the end it is won, and the credit is there again."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)
        spent(world, team, 4)
        flows.dispute_told(said(intent), now=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            dispute = Dispute.objects.get(wallet=team.pk)
            return [
                *raised(answers),
                *differs("status", (dispute.status, dispute.closed_at is None), ("won", False)),
                *differs("movements", DisputeMovement.objects.filter(wallet=team.pk).count(), 2),
                *differs("withdrawn", disputed(team), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team), 10 - 4 * COST),
            ]

        phases = [
            said(intent),
            said(intent, -10_00),
            said(intent, -10_00, status="under_review"),
            said(intent, -10_00, 10_00, status="won"),
        ]
        return Race([telling(what) for what in phases], wrong)

    arena.holds(prepare)
    # All have read the dispute as it was, and each writes down what it has heard.
    with arena.unguarded(Control(locks=False, meet_at='^UPDATE "dispute"')):
        arena.breaks(prepare, f"cannot go from|dispute_movement_pkey|{REFUSED}")


def test_a_withdrawal_and_a_purchase(arena: Arena, world: World) -> None:
    """Spent credit is taken back while new credit comes: what is owed is owed once, and paid once if it is paid."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)
        spent(world, team, 20)
        world.used(world.key(team), events=6)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            debt_paid = asked(
                "SELECT coalesce(sum(amount), 0) FROM transfer WHERE org_id = %s AND key LIKE 'cd:%%'", team.pk
            )
            return [
                *raised(answers),
                *differs("withdrawn", disputed(team), 10),
                *differs("debt, paid or open", debt_paid - balance(team, 1110), moved(team, 1110, 1000)),
                *differs("overdraft", balance(team, 1100), 0),
                *differs("available", available(team), 20 - 26 * COST),
            ]

        return Race([telling(said(intent, -10_00)), settling(team, 20_00)], wrong)

    arena.holds(prepare)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_dispute_is_opened_beside_a_refund(arena: Arena, world: World, stripe: Running) -> None:
    """Whoever comes first at Stripe and here: the card gets its money back once, and nobody owes anything in the end."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = charged(stripe, world, team, 10_00)

        def dispute() -> str:
            opened = stripe.admin.dispute(intent.charge_id or "")
            flows.dispute_told(gateway.read_dispute(opened["id"]), now=NOW)
            return str(opened["id"])

        def wrong(answers: list[Any]) -> Anomalies:
            if faults := raised(answers, RefundRefused):
                return faults
            stripe.admin.lose(answers[1])
            flows.dispute_told(gateway.read_dispute(answers[1]), now=NOW)
            return [
                *differs("went back", moved(team, 2300, 1000) + disputed(team), 10),
                *differs("on its way", on_its_way(team), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team), 0),
            ]

        return Race([by_staff(world, intent, 6_00), dispute], wrong)

    arena.holds(prepare, rounds=ROUNDS)
    assert stripe.admin.books()["totals"]["net"] == 0
    # Both have read that 10.00 are left of the grant.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_dispute_is_opened_beside_charging(arena: Arena, world: World) -> None:
    """What was used before is paid by the credit that is held from now on, whether it was charged or not."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)
        world.used(world.key(team), events=8)

        def dispute() -> None:
            flows.dispute_told(said(intent), now=NOW)
            arena.meet("it is open")

        def sweep() -> None:
            arena.meet("it is open")
            flows.sweep(now=NOW)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.sweep(now=NOW)
            return [
                *raised(answers),
                *differs("overdraft", balance(team, 1100), 0),
                *differs("held", balance(team, 2000), 10 - 8 * COST),
                *differs("available", available(team), 0),
            ]

        return Race([dispute, sweep], wrong)

    arena.holds(prepare)
    # The credit is held before what was used is charged to it: then nothing can pay for that.
    drain = charging.drain
    skip = lambda org_ids, *, now: 0 if here.act == 0 else drain(org_ids, now=now)  # noqa: E731
    with arena.unguarded(), mock.patch.object(charging, "drain", skip):
        arena.breaks(prepare, "overdraft")


def test_a_withdrawal_and_expiry(arena: Arena, world: World) -> None:
    """Credit ends in the moment in which it is taken back: from the grant or from breakage, but once."""

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)

        def wrong(answers: list[Any]) -> Anomalies:
            flows.dispute_told(said(intent, -10_00, status="lost"), now=NEXT_YEAR)
            flows.expire(now=NEXT_YEAR)
            return [
                *raised(answers),
                *differs("withdrawn", disputed(team), 10),
                *differs("breakage", moved(team, 2000, 4900) - moved(team, 4900, 1000), 0),
                *differs("debt", balance(team, 1110), 0),
                *differs("available", available(team, NEXT_YEAR), 0),
            ]

        return Race(
            [telling(said(intent, -10_00), now=NEXT_YEAR), lambda: flows.expire(now=NEXT_YEAR)], wrong
        )  # fmt: skip

    arena.holds(prepare)
    # Both have read that 10.00 are left of the grant.
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, REFUSED)


def test_a_debt_is_forgiven_written_off_and_paid_at_once(arena: Arena, world: World) -> None:
    """By staff, by its age and by new credit: never more than is owed."""
    old = NOW + timedelta(days=181)

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)
        spent(world, team, 20)
        flows.dispute_told(said(intent, -10_00, status="lost"), now=NOW)
        purchase = opened(team, 20_00)

        def forgive() -> Decimal:
            return flows.forgive_debt(team.pk, 20 * COST, reason="Long ago", nonce=uuid4(), by=world.alice.pk, now=old)

        def wrong(answers: list[Any]) -> Anomalies:
            let_go = moved(team, 6000, 1110)
            debt_paid = moved(team, 2000, 1110)
            return [
                *raised(answers, debts.ForgivenessRefused),
                *differs("debt", balance(team, 1110), 0),
                *differs("let go and paid", let_go + debt_paid, 20 * COST),
                *differs("available", available(team, old), 20 - debt_paid),
            ]

        return Race(
            [
                forgive,
                lambda: flows.write_off_debts(now=old),
                lambda: flows.payment_outcome(purchase.pk, paid(purchase), now=old),
            ],
            wrong,
        )

    arena.holds(prepare)
    # All have read that the whole debt is open. (What was paid in another month has numbers of its own.)
    with arena.unguarded(Control(locks=False, meet_at=POSTING)):
        arena.breaks(prepare, f"{REFUSED}|account_debt_not_positive")


def test_no_card_is_charged_while_a_dispute_opens(arena: Arena, world: World) -> None:
    """The dispute and an off-session charge begin in two transactions that do not see each other yet.

    Whatever begins the charge need not know of disputes: the trigger waits for the organization's wallet before it looks.
    """

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought(team, 10_00)

        def dispute() -> None:
            with transaction.atomic():
                flows.dispute_told(said(intent), now=NOW)
                arena.meet("it is open, and not committed")

        def charge() -> bool:
            arena.meet("it is open, and not committed")
            with transaction.atomic():
                Intent.objects.create(
                    wallet_id=team.pk, purpose=Purpose.RECHARGE, amount_cents=10_00, key=f"recharge:{uuid4().hex}",
                    created_at=NOW,
                )  # fmt: skip
                # Were it allowed now, it would be called in the next moment.
                return disputes.open_for(team.pk)

        def wrong(answers: list[Any]) -> Anomalies:
            refused = [answer for answer in answers if isinstance(answer, IntegrityError)]
            faults = [fault for fault in raised(refused) if "has an open dispute" not in fault]
            return [
                *raised(answers, IntegrityError),
                *faults,
                *differs("charged while disputed", answers[1] is True, False),
            ]

        return Race([dispute, charge], wrong)

    arena.holds(prepare, verify=False)
    blind = (r"PERFORM 1 FROM wallet .* FOR UPDATE;", "")
    with function("payment_intent_not_while_disputed", blind), arena.unguarded():
        arena.breaks(prepare, "charged while disputed: True")

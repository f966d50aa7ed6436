"""Debts that are let go and paid, and charges without the customer, at the same instant as disputes."""

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from billing import flows
from billing.ledger import debts
from billing.payments import disputes
from billing.payments.models import Intent, Purpose
from tests.factories import cards
from tests.races.arena import Anomalies, Arena, Race, differs, raised
from tests.races.disputing import balance, bought_by_card, said, spent
from tests.races.guards import POSTING, REFUSED, Control, function
from tests.races.scenes import COST, NOW, World, available, moved, opened, paid

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_debt_is_forgiven_written_off_and_paid_at_once(arena: Arena, world: World) -> None:
    """By staff, by its age and by new credit: never more than is owed."""
    old = NOW + timedelta(days=181)

    def prepare(turn: int) -> Race:
        team = world.team()
        intent = bought_by_card(team, 10_00)
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
        intent, card = bought_by_card(team, 10_00), cards.saved(team)
        # In every other round the charge begins when the dispute is open and not committed yet.
        in_between = threading.Barrier(2 if arena.control or turn % 2 == 0 else 1)

        def dispute() -> None:
            with transaction.atomic():
                flows.dispute_told(said(intent), now=NOW)
                in_between.wait(10)
                arena.until_somebody_waits()

        def charge() -> bool:
            if in_between.parties == 2:
                in_between.wait(10)
            with transaction.atomic():
                Intent.objects.create(
                    wallet_id=team.pk, purpose=Purpose.RECHARGE, amount_cents=10_00, key=f"recharge:{uuid4().hex}",
                    created_at=NOW, method=card,
                )  # fmt: skip
                # Foreign keys are checked now, as the commit would. Were it allowed after that, the card would be charged.
                connection.check_constraints()
                return disputes.open_for(team.pk)

        def wrong(answers: list[Any]) -> Anomalies:
            refused = [answer for answer in answers if isinstance(answer, IntegrityError)]
            faults = [fault for fault in raised(refused) if "has an open dispute" not in fault]
            met = in_between.parties == 2 and arena.control is None
            return [
                *raised(answers, IntegrityError),
                *faults,
                *differs("charged while disputed", answers[1] is True, False),
                *(differs("refused", len(refused), 1) if met else []),
            ]

        return Race([dispute, charge], wrong)

    arena.holds(prepare, verify=False)
    blind = (r"PERFORM 1 FROM wallet .* FOR UPDATE;", "")
    # Two triggers wait for the wallet: without either of them the other one still would.
    one, other = function("payment_intent_not_while_disputed", blind), function("payment_intent_card_is_there", blind)
    with one, other, arena.unguarded():
        arena.breaks(prepare, "charged while disputed: True")

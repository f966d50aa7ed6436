"""Refunds and disputes that nobody told of, and those that do not agree: found in Stripe's lists, settled or said."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from billing import flows
from billing.ledger import balances
from billing.ledger.chart import Code
from billing.ledger.models import Account
from billing.payments.models import Dispute, Intent, Refund, RefundState
from billing.payments.reconciliations import Kind, Reconciliation
from billing.payments.refunds import Order
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests.billing.payments.test_reconciling import plant
from tests.factories import usage
from tests.factories.paying import events, post, tell
from tests.factories.reconciled import charge_of, charged, compared, paid, picture, stripe, told

__all__ = ["stripe"]

pytestmark = pytest.mark.django_db(transaction=True)

PENDS = "4000000000007726"


@pytest.fixture
def payment(stripe: Running, acme: Organization, alice: User) -> Intent:
    """A hundred dollars, in the books."""
    intent = paid(stripe, acme, alice)
    assert compared().healed == 1
    return intent


def staff_refund(intent: Intent, by: User, cents: int) -> Refund:
    return flows.refund(Order(intent.wallet_id, intent.pk, cents, "Bought twice", uuid4(), by.pk), now=timezone.now())


def available(org: Organization) -> Decimal:
    return balances.of(org.pk, now=timezone.now()).available


class TestRefunds:
    def test_of_the_dashboard_and_nobody_told(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        stripe.admin.refund(charge_of(stripe, payment), amount=30_00)
        run = compared()
        assert (run.refunds, run.healed, run.found) == (1, 1, 0)
        assert run.there_cents == run.here_cents == 70_00
        refund = Refund.objects.get()
        assert (refund.state, refund.needs_review, refund.amount_cents) == (RefundState.SUCCEEDED, True, 30_00)
        assert available(acme) == 70
        assert (compared().healed, Refund.objects.count()) == (0, 1)

    @pytest.mark.parametrize("reason", ["requested_by_customer", "fraudulent"])
    def test_the_same_picture_as_with_webhooks(
        self,
        reason: str,
        stripe: Running,
        acme: Organization,
        alice: User,
        charlie_personal: Organization,
        charlie: User,
    ) -> None:
        """A purchase that nobody told of either, with a part and the rest of it refunded."""
        for org, by in ((acme, alice), (charlie_personal, charlie)):
            charge = charge_of(stripe, paid(stripe, org, by))
            stripe.admin.refund(charge, amount=30_00, reason=reason)
            stripe.admin.refund(charge, reason=reason)
            if org == acme:
                tell(stripe)
                inbox.process(now=timezone.now())
        run = compared()
        assert (run.charges, run.refunds, run.healed, run.found) == (2, 4, 3, 0)
        assert picture(acme) == picture(charlie_personal)
        assert picture(acme)["refunds"] == [("succeeded", 30_00, True), ("succeeded", 70_00, True)]

    def test_asked_by_staff_and_the_answer_was_lost(
        self, stripe: Running, payment: Intent, acme: Organization, alice: User
    ) -> None:
        stripe.admin.fault("reset", moment="after", method="POST", path="/v1/refunds")
        refund = staff_refund(payment, alice, 40_00)
        assert (refund.state, refund.provider_id) == (RefundState.UNKNOWN, None)
        run = compared()
        assert (run.healed, run.found) == (1, 0)
        refund.refresh_from_db()
        assert (refund.state, refund.needs_review) == (RefundState.SUCCEEDED, False)
        assert Refund.objects.count() == 1

    def test_one_that_the_bank_sends_back_weeks_later(
        self, stripe: Running, payment: Intent, acme: Organization, alice: User
    ) -> None:
        """The charge is long out of sight; the refund is not."""
        refund = staff_refund(payment, alice, 40_00)
        now = timezone.now() + timedelta(days=29)
        assert compared(now=now - timedelta(days=1)).found == 0
        stripe.admin.fail_refund(str(refund.provider_id))
        run = compared(now=now)
        assert (run.refunds, run.healed, run.found) == (1, 1, 0)
        refund.refresh_from_db()
        assert refund.state == RefundState.FAILED
        assert available(acme) == 100

    def test_on_its_way_on_both_sides(self, stripe: Running, acme: Organization, alice: User) -> None:
        stripe.sandbox.world.settings.refund_delay = 86_400
        intent = paid(stripe, acme, alice, card=PENDS)
        compared()
        refund = staff_refund(intent, alice, 40_00)
        assert refund.state == RefundState.PENDING
        run = compared()
        assert (run.refunds, run.healed, run.found) == (1, 0, 0)
        assert run.there_cents == run.here_cents == 100_00
        stripe.admin.succeed_refund(str(refund.provider_id))
        assert (compared().healed, compared().found) == (1, 0)

    def test_another_programs_refund_is_not_ours(self, stripe: Running, acme: Organization) -> None:
        stripe.admin.refund(charged(stripe))
        run = compared()
        assert (run.charges, run.refunds, run.not_ours, run.found) == (1, 1, 2, 0)

    @pytest.mark.books_differ("refund_taken", "refund_outcome")
    def test_another_amount(self, stripe: Running, payment: Intent, alice: User) -> None:
        refund = staff_refund(payment, alice, 40_00)
        plant("UPDATE refund SET amount_cents = 4100 WHERE id = %s", refund.pk)
        run = compared()
        assert told(run) == [(Kind.AMOUNT, "refund", refund.provider_id)]
        assert (run.findings.get().here_cents, run.findings.get().there_cents) == (41_00, 40_00)

    @pytest.mark.books_differ("refund_outcome")
    def test_failed_here_for_good_and_succeeded_at_stripe(self, stripe: Running, payment: Intent, alice: User) -> None:
        refund = staff_refund(payment, alice, 40_00)
        plant("UPDATE refund SET state = 'failed' WHERE id = %s", refund.pk)
        assert told(compared()) == [(Kind.STATE, "refund", refund.provider_id)]

    def test_unknown_to_stripe(self, stripe: Running, payment: Intent, acme: Organization, alice: User) -> None:
        refund = staff_refund(payment, alice, 40_00)
        plant("UPDATE refund SET provider_id = 're_nobody' WHERE id = %s", refund.pk)
        run = compared()
        finding = run.findings.get(kind=Kind.UNKNOWN_THERE)
        assert (finding.thing, finding.provider_id, finding.wallet_id) == ("refund", "re_nobody", acme.pk)
        assert finding.intent_id == payment.pk

    def test_of_another_payment(self, stripe: Running, payment: Intent, acme: Organization, alice: User) -> None:
        other = paid(stripe, acme, alice)
        compared()
        refund = staff_refund(payment, alice, 40_00)
        plant("UPDATE refund SET intent_id = %s WHERE id = %s", other.pk, refund.pk)
        assert told(compared()) == [(Kind.PAYMENT, "refund", refund.provider_id)]

    def test_more_than_a_page(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        """The oldest is ours."""
        stripe.admin.refund(charge_of(stripe, payment), amount=30_00)
        foreign = charged(stripe, 200_00)
        for _ in range(101):
            stripe.admin.refund(foreign, amount=1_00)
        run = compared()
        assert (run.refunds, run.healed, run.not_ours, run.found) == (102, 1, 102, 0)
        assert available(acme) == 70


class TestDisputes:
    @pytest.mark.parametrize("end", ["opened", "won", "lost", "inquiry", "dropped", "escalated"])
    def test_the_same_picture_as_with_webhooks(
        self,
        end: str,
        stripe: Running,
        acme: Organization,
        alice: User,
        charlie_personal: Organization,
        charlie: User,
    ) -> None:
        """At each step one organization is told of everything, and the other hears of it at night."""
        charges = [charge_of(stripe, paid(stripe, org, by)) for org, by in ((acme, alice), (charlie_personal, charlie))]
        inquiry = end in ("inquiry", "dropped", "escalated")
        ids = [str(stripe.admin.dispute(charge, inquiry=inquiry)["id"]) for charge in charges]
        assert self._both(stripe, acme, charlie_personal).healed >= 2
        step = {"won": "win", "lost": "lose", "dropped": "drop_inquiry", "escalated": "escalate"}.get(end)
        if step:
            for dispute_id in ids:
                getattr(stripe.admin, step)(dispute_id)
            assert self._both(stripe, acme, charlie_personal).healed == 1
        taken = end in ("opened", "lost", "escalated")
        assert picture(acme)["movements"] == ([-100_00] if taken else [-100_00, 100_00] if end == "won" else [])
        assert available(charlie_personal) == (100 if end in ("won", "dropped") else 0)
        assert compared().healed == 0

    @staticmethod
    def _both(stripe: Running, informed: Organization, other: Organization) -> Reconciliation:
        intent = Intent.objects.get(wallet_id=informed.pk)
        about = (str(intent.pk), charge_of(stripe, intent))
        for event in events(stripe):
            if any(name in json.dumps(event["data"]["object"]) for name in about):
                post(event)
        inbox.process(now=timezone.now())
        run = compared()
        assert (run.found, run.error) == (0, "")
        assert run.there_cents == run.here_cents
        assert picture(informed) == picture(other)
        return run

    def test_decided_months_later(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        dispute = str(stripe.admin.dispute(charge_of(stripe, payment))["id"])
        assert compared().healed == 1
        now = timezone.now() + timedelta(days=120)
        assert compared(now=now).found == 0
        stripe.admin.win(dispute)
        run = compared(now=now + timedelta(days=1))
        assert (run.charges, run.disputes, run.healed, run.found) == (0, 1, 1, 0)
        assert balances.of(acme.pk, now=now).available == 100

    def test_of_spent_credit(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        usage.spent(acme, "60", now=timezone.now())
        stripe.admin.dispute(charge_of(stripe, payment))
        run = compared()
        assert (run.healed, run.found, run.here_cents, run.there_cents) == (1, 0, 0, 0)
        assert available(acme) == -60
        assert Account.objects.get(wallet_id=acme.pk, code=Code.CLAWBACK_DEBT).balance == -60

    def test_another_programs_dispute_is_not_ours(self, stripe: Running, acme: Organization) -> None:
        stripe.admin.dispute(charged(stripe))
        run = compared()
        assert (run.charges, run.disputes, run.not_ours, run.found) == (1, 1, 2, 0)

    @pytest.mark.books_differ("dispute_moved")
    def test_a_movement_that_stripe_does_not_have(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        dispute = str(stripe.admin.dispute(charge_of(stripe, payment))["id"])
        compared()
        plant("UPDATE dispute_movement SET amount_cents = -9900")
        run = compared()
        assert told(run) == [(Kind.MOVEMENTS, "dispute", dispute)]
        assert (run.findings.get().here_cents, run.findings.get().there_cents) == (-99_00, -100_00)

    @pytest.mark.books_differ("grant_held")
    def test_closed_here_and_open_at_stripe(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        dispute = str(stripe.admin.dispute(charge_of(stripe, payment))["id"])
        compared()
        plant("UPDATE dispute SET status = 'lost', closed_at = created_at")
        assert told(compared()) == [(Kind.STATE, "dispute", dispute)]

    @pytest.mark.books_differ("money_without_payment", "dispute_moved", "grant_held")
    def test_unknown_to_stripe(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        dispute = str(stripe.admin.dispute(charge_of(stripe, payment))["id"])
        compared()
        stripe.sandbox.world.books.remove("dispute", dispute)
        run = compared()
        finding = run.findings.get()
        assert (finding.kind, finding.provider_id, finding.here_cents) == (Kind.UNKNOWN_THERE, dispute, -100_00)

    def test_of_another_amount(self, stripe: Running, payment: Intent, acme: Organization) -> None:
        dispute = str(stripe.admin.dispute(charge_of(stripe, payment))["id"])
        compared()
        plant("UPDATE dispute SET amount_cents = 9900")
        run = compared()
        assert (run.healed, run.found) == (1, 0)
        assert Dispute.objects.get(provider_id=dispute).amount_cents == 100_00

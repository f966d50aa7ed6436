"""Stripe's lists and the books: what no webhook told of is settled, what cannot be is said, what agrees is left alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from billing.ledger import balances
from billing.ledger.models import CreditGrant, Transfer
from billing.payments import gateway, outcomes
from billing.payments.models import Customer, Intent, State
from billing.payments.reconciliations import Kind, Reconciliation, ReconciliationFinding
from billing.payments.reconciling import NotFinished
from billing.webhooks import inbox
from orgs.models import Organization, User
from sandbox.stripe import Running
from tests import owners
from tests.factories.paying import DECLINES, begin, tell
from tests.factories.reconciled import LATER, charge_of, charged, compared, paid, picture, stripe, told
from tests.threads import at_once

__all__ = ["stripe"]

pytestmark = pytest.mark.django_db(transaction=True)


def plant(sql: str, *values: Any) -> None:
    """What nobody could do through the portal: as the owner, without triggers."""
    with owners.connected() as owner:
        owner.execute("SET session_replication_role = replica")
        assert owner.execute(sql, values).rowcount > 0


def altered(stripe: Running, charge_id: str, **fields: object) -> None:
    """Stripe's charge is not what it was."""
    charge = stripe.sandbox.world.find("charge", charge_id)
    charge.update(fields)
    stripe.sandbox.world.books.save("charge", charge)


class TestLostWebhooks:
    """Nothing was told; the lists know it all."""

    def test_a_purchase_is_credited(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        run = compared()
        assert (run.charges, run.healed, run.found, run.error) == (1, 1, 0, "")
        assert (run.there_cents, run.here_cents) == (100_00, 100_00)
        assert run.finished_at is not None
        intent.refresh_from_db()
        assert intent.state == State.SUCCEEDED
        assert balances.of(acme.pk, now=timezone.now()).available == 100
        assert CreditGrant.objects.get().payment_id == intent.pk

    def test_the_same_picture_as_with_webhooks(
        self, stripe: Running, acme: Organization, alice: User, charlie_personal: Organization, charlie: User
    ) -> None:
        for org, by in ((acme, alice), (charlie_personal, charlie)):
            paid(stripe, org, by, 30_00)
            begin(org, by, 40_00)
            if org == acme:
                tell(stripe)
                inbox.process(now=timezone.now())
        run = compared()
        assert (run.charges, run.healed, run.found) == (2, 1, 0)
        assert picture(acme) == picture(charlie_personal)
        tell(stripe)
        inbox.process(now=timezone.now())
        assert picture(acme) == picture(charlie_personal)
        assert Transfer.objects.count() == 2

    def test_a_second_run_finds_everything_done(self, stripe: Running, acme: Organization, alice: User) -> None:
        paid(stripe, acme, alice)
        compared()
        before = picture(acme)
        run = compared()
        assert (run.charges, run.healed, run.found) == (1, 0, 0)
        assert (run.there_cents, run.here_cents) == (100_00, 100_00)
        assert picture(acme) == before

    def test_a_page_that_was_closed_and_had_been_paid(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        Intent.objects.filter(pk=intent.pk).update(state=State.CANCELED, settled_at=timezone.now())
        assert compared().healed == 1
        intent.refresh_from_db()
        assert intent.state == State.SUCCEEDED

    def test_a_payment_that_came_twice_is_set_aside(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        charged(stripe, 100_00, intent_id=intent.pk)
        run = compared()
        assert (run.charges, run.healed, run.found) == (2, 2, 0)
        assert (run.there_cents, run.here_cents) == (200_00, 200_00)
        assert Transfer.objects.filter(credit=2900).get().amount == 100
        assert compared().healed == 0

    def test_more_than_a_page(self, stripe: Running, acme: Organization, alice: User) -> None:
        first = paid(stripe, acme, alice)
        foreign = {charged(stripe, 1_00) for _ in range(204)}
        last = paid(stripe, acme, alice)
        run = compared()
        assert (run.charges, run.healed, run.not_ours, run.found) == (206, 2, len(foreign), 0)
        assert len(stripe.admin.requests("GET", "/v1/charges")) == 3
        for intent in (first, last):
            intent.refresh_from_db()
            assert intent.state == State.SUCCEEDED


class TestNothingToSay:
    def test_an_empty_account(self, stripe: Running, acme: Organization) -> None:
        run = compared()
        assert (run.charges, run.refunds, run.disputes, run.healed, run.found) == (0, 0, 0, 0, 0)

    def test_another_programs_charge_is_not_ours(self, stripe: Running, acme: Organization) -> None:
        charged(stripe)
        run = compared()
        assert (run.charges, run.not_ours, run.found, run.there_cents) == (1, 1, 0, 0)

    def test_a_declined_attempt_moved_nothing(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = begin(acme, alice)
        stripe.admin.pay(intent.checkout_id or "", DECLINES)
        run = compared()
        assert (run.charges, run.not_ours, run.healed, run.found) == (1, 0, 0, 0)
        intent.refresh_from_db()
        assert intent.state == State.WAITING

    def test_what_is_in_flight_is_left_to_the_next_run(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        run = compared(now=timezone.now())
        assert (run.charges, run.healed, run.found) == (0, 0, 0)
        intent.refresh_from_db()
        assert intent.state == State.WAITING
        assert compared().healed == 1


class TestFindings:
    """Each kind, planted."""

    def test_marked_as_ours_and_unknown_here(self, stripe: Running, acme: Organization) -> None:
        stranger = uuid4()
        charge = charged(stripe, 7_00, intent_id=stranger)
        run = compared()
        assert told(run) == [(Kind.UNKNOWN_HERE, "charge", charge)]
        finding = run.findings.get()
        assert (finding.wallet_id, finding.intent_id, finding.here_cents, finding.there_cents) == (
            None,
            None,
            None,
            700,
        )
        assert str(stranger) in finding.words
        assert run.healed == 0

    def test_another_amount(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = begin(acme, alice, 100_00)
        charge = charged(stripe, 90_00, intent_id=intent.pk)
        run = compared()
        assert told(run) == [(Kind.AMOUNT, "charge", charge)]
        finding = run.findings.get()
        assert (finding.wallet_id, finding.intent_id) == (acme.pk, intent.pk)
        assert (finding.here_cents, finding.there_cents) == (100_00, 90_00)
        assert Transfer.objects.get().credit_id == 2900
        assert run.here_cents == run.there_cents == 90_00

    def test_another_currency(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = begin(acme, alice, 100_00)
        charge = charged(stripe, 100_00, intent_id=intent.pk)
        altered(stripe, charge, currency="eur")
        run = compared()
        assert told(run) == [(Kind.CURRENCY, "charge", charge)]
        assert not Transfer.objects.exists()
        assert run.here_cents == run.there_cents == 0

    def test_another_organizations_customer(
        self, stripe: Running, acme: Organization, alice: User, charlie_personal: Organization, charlie: User
    ) -> None:
        begin(charlie_personal, charlie)
        intent = begin(acme, alice, 100_00)
        charge = charged(
            stripe, 100_00, intent_id=intent.pk, customer=Customer.objects.get(wallet_id=charlie_personal.pk).stripe_id
        )
        run = compared()
        assert told(run) == [(Kind.ORGANIZATION, "charge", charge), (Kind.STATE, "charge", charge)]
        intent.refresh_from_db()
        assert intent.state == State.WAITING
        assert not Transfer.objects.exists()

    @pytest.mark.books_differ("payment_without_grant", "account_balance", "wallet_sums", "credit_used", "grant_funding")
    @pytest.mark.books_differ("transfer_numbers", "period_head")
    def test_paid_and_not_in_the_ledger(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        compared()
        plant("DELETE FROM transfer WHERE key = %s", f"pay:{intent.pk}")
        run = compared()
        assert told(run) == [(Kind.LEDGER, "charge", charge_of(stripe, intent))]
        assert (run.here_cents, run.there_cents, run.healed) == (0, 100_00, 0)

    def test_in_our_books_and_unknown_to_stripe(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        compared()
        plant("UPDATE payment_intent SET charge_id = 'ch_nobody' WHERE id = %s", intent.pk)
        run = compared()
        assert (Kind.UNKNOWN_THERE, "charge", "ch_nobody") in told(run)
        finding = run.findings.get(kind=Kind.UNKNOWN_THERE)
        assert (finding.wallet_id, finding.intent_id, finding.here_cents) == (acme.pk, intent.pk, 100_00)

    def test_paid_here_and_not_at_stripe(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        compared()
        charge = charge_of(stripe, intent)
        altered(stripe, charge, paid=False, status="failed")
        run = compared()
        assert told(run) == [(Kind.STATE, "charge", charge)]
        assert (run.findings.get().here_cents, run.findings.get().there_cents) == (100_00, 0)

    @pytest.mark.books_differ("transfer_hash", "transfer_rehash", "grant_funding", "payment_without_grant")
    def test_moved_for_nothing_stripe_can_know(self, stripe: Running, acme: Organization, alice: User) -> None:
        intent = paid(stripe, acme, alice)
        compared()
        plant("UPDATE transfer SET key = 'gift:1' WHERE key = %s", f"pay:{intent.pk}")
        run = compared()
        assert (Kind.NO_CAUSE, "transfer", "gift:1") in told(run)

    def test_what_cannot_be_applied_does_not_stop_the_others(
        self, stripe: Running, acme: Organization, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good = paid(stripe, acme, alice), paid(stripe, acme, alice, 20_00)
        settle = outcomes.settle

        def one_breaks(intent_id: UUID, outcome: outcomes.Outcome, *, now: datetime) -> object:
            if intent_id == bad.pk:
                raise RuntimeError("out of order")
            return settle(intent_id, outcome, now=now)

        monkeypatch.setattr(outcomes, "settle", one_breaks)
        run = compared()
        charge = charge_of(stripe, bad)
        assert told(run) == [(Kind.NOT_APPLIED, "charge", charge), (Kind.STATE, "charge", charge)]
        assert "out of order" in run.findings.get(kind=Kind.NOT_APPLIED).words
        good.refresh_from_db()
        assert (good.state, run.healed) == (State.SUCCEEDED, 1)
        monkeypatch.undo()
        assert told(compared()) == []


class TestRuns:
    """From where to where, again and again."""

    def test_the_first_one_looks_at_everything_and_the_next_at_three_days(
        self, stripe: Running, acme: Organization
    ) -> None:
        now = datetime(2026, 11, 1, 3, 40, tzinfo=UTC)
        first = compared(now=now)
        assert (first.since, first.through) == (None, now - timedelta(minutes=10))
        second = compared(now=now + timedelta(days=1))
        assert second.since == first.through - timedelta(days=3)

    def test_a_date_of_ones_own_is_no_beginning_for_the_next(self, stripe: Running, acme: Organization) -> None:
        now = datetime(2026, 11, 1, 3, 40, tzinfo=UTC)
        first = compared(now=now)
        by_hand = compared(now=now + timedelta(days=9), since=now + timedelta(days=8))
        assert (by_hand.since, by_hand.by_hand) == (now + timedelta(days=8), True)
        assert compared(now=now + timedelta(days=10)).since == first.through - timedelta(days=3)

    def test_what_stands_is_said_again_until_it_is_gone(self, stripe: Running, acme: Organization, alice: User) -> None:
        """However long ago it happened: after a month the list has it no more."""
        charge = charged(stripe, 7_00, intent_id=uuid4())
        now = timezone.now() + LATER
        first = compared(now=now)
        much_later = compared(now=now + timedelta(days=30))
        last = compared(now=now + timedelta(days=60))
        assert told(first) == told(much_later) == told(last) == [(Kind.UNKNOWN_HERE, "charge", charge)]
        assert last.findings.get().first_seen_at == first.findings.get().first_seen_at == first.started_at
        assert last.since is not None
        assert stripe.sandbox.world.find("charge", charge)["created"] < last.since.timestamp()
        altered(stripe, charge, metadata={})
        assert told(compared(now=now + timedelta(days=61))) == []
        assert told(compared(now=now + timedelta(days=62))) == []

    def test_stripe_breaks_off_in_the_middle(self, stripe: Running, acme: Organization, alice: User) -> None:
        """What was seen is kept and called a part; nobody is accused of what was not seen."""
        old = paid(stripe, acme, alice)
        compared()
        strange = [charged(stripe, 1_00, intent_id=uuid4() if number % 2 else None) for number in range(150)]
        stripe.admin.fault("error", path="/v1/charges", skip=1)
        with pytest.raises(NotFinished) as broken:
            compared()
        run = broken.value.run
        assert run.error.startswith("Unknown")
        assert run.finished_at is not None
        assert (run.charges, run.found) == (100, 50)
        assert {finding.kind for finding in run.findings.all()} == {Kind.UNKNOWN_HERE}
        again = compared()
        assert (again.charges, again.found, again.error) == (151, 75, "")
        assert again.since == run.since
        assert len(strange) == 150
        assert old.state != State.SUCCEEDED

    def test_stripe_does_not_let_us_in(self, stripe: Running, acme: Organization, settings: Any) -> None:
        settings.STRIPE_SECRET_KEY = "sk_live_wrong"
        with pytest.raises(NotFinished) as broken:
            compared()
        assert broken.value.run.error.startswith("Refused")
        assert ReconciliationFinding.objects.count() == 0

    def test_two_at_once_do_no_harm(self, stripe: Running, acme: Organization, alice: User) -> None:
        for _ in range(3):
            paid(stripe, acme, alice, 10_00)
        runs = at_once(compared, compared, compared)
        assert [run.found for run in runs] == [0, 0, 0]
        assert sum(run.healed for run in runs) >= 3
        assert balances.of(acme.pk, now=timezone.now()).available == Decimal(30)
        assert Transfer.objects.count() == 3
        assert Reconciliation.objects.count() == 3

    def test_never_inside_a_transaction(self, stripe: Running, acme: Organization) -> None:
        with pytest.raises(gateway.CalledInsideTransaction), transaction.atomic():
            compared()

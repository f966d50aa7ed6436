"""A contract's months: the first one makes it active, each begins with its commitment due, and is closed with the books."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import flows
from billing.catalog.models import AIModel
from billing.contracts import collecting
from billing.contracts.ending import EndRefused
from billing.contracts.models import ContractAct, State
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.ledger.models import Transfer
from billing.notices.models import Notice
from billing.payments.models import PaymentMethod
from billing.recharge import figures
from orgs.models import Organization, User
from tests.factories import cards, contracts, months, plans, recharging
from tests.factories.contracts import DAY, HOUR, MARCH, MILLION, MINUTE

pytestmark = pytest.mark.django_db

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


# --- The first month -----------------------------------------------------------------------------------------------------


def test_it_is_active_from_its_first_paid_commitment(acme: Organization, alice: User) -> None:
    contract = contracts.accepted(acme, alice)
    contracts.begun(MARCH - MINUTE)
    assert contracts.dues(contract) == []
    contracts.begun()
    assert contracts.moved(acme) == {(1120, 2200): 5}
    assert not Coverage.objects.exists()
    contracts.paid(acme, now=MARCH + MINUTE)
    contract.refresh_from_db()
    assert (contract.state, contract.active_from) == (State.ACTIVE, MARCH + MINUTE)
    assert contracts.moved(acme) == {(1120, 2200): 5, (1000, 1120): 5}
    # Never back-dated: the model is covered from the payment on, to the end of the term.
    span = Coverage.objects.get()
    assert (span.payer, span.source_id, span.valid_from) == (Payer.CONTRACT, contract.pk, MARCH + MINUTE)
    assert span.valid_to == datetime(2027, 3, 1, tzinfo=UTC)
    assert PayerBase.objects.get(wallet=acme.pk).covered
    assert Notice.objects.filter(kind="contract_started").count() == 1


def test_the_clock_may_come_as_often_as_it_likes(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    before = Transfer.objects.count()
    for later in (MARCH, MARCH + HOUR, MARCH + 20 * DAY):
        contracts.begun(later)
    assert (contracts.dues(contract), Transfer.objects.count()) == ([("commitment", 5_00, "paid")], before)


def test_not_paid_on_the_first_it_starts_a_month_later(acme: Organization, alice: User) -> None:
    """A57: always on the first of a month. It is tried until that day is over, and nothing is owed for it."""
    contract = contracts.accepted(acme, alice)
    contracts.begun()
    for hours in (0, 1, 6, 18):
        contracts.refused(acme, now=MARCH + hours * HOUR)
    assert contracts.dues(contract) == [("commitment", 5_00, "unpaid")]
    contracts.begun(MARCH + DAY)
    contract.refresh_from_db()
    assert (contract.state, contract.starts_on, contract.ends_on) == ("accepted", date(2026, 4, 1), date(2027, 4, 1))
    assert contracts.moved(acme) == {(1120, 2200): 5, (2200, 1120): 5}
    assert ContractAct.objects.get(act="put_off").by is None
    contracts.begun(APRIL)
    contracts.paid(acme, now=APRIL)
    contract.refresh_from_db()
    assert (contract.state, contract.active_from) == (State.ACTIVE, APRIL)
    assert Coverage.objects.get().valid_to == datetime(2027, 4, 1, tzinfo=UTC)


def test_a_charge_whose_outcome_is_unknown_is_waited_for(acme: Organization, alice: User) -> None:
    contract = contracts.accepted(acme, alice)
    contracts.begun()
    intent = recharging.unknown(contracts.charging(acme))
    contracts.begun(MARCH + DAY + HOUR)
    contract.refresh_from_db()
    assert contract.starts_on == date(2026, 3, 1)
    recharging.paid(intent, now=MARCH + DAY + 2 * HOUR)
    contract.refresh_from_db()
    assert (contract.state, contract.active_from) == (State.ACTIVE, MARCH + DAY + 2 * HOUR)


def test_money_that_comes_after_it_was_put_off_waits_for_staff(acme: Organization, alice: User) -> None:
    """A54: a charge that was refused arrives after all, and nothing is owed by then."""
    contract = contracts.accepted(acme, alice)
    contracts.begun()
    intent = contracts.refused(acme)
    contracts.begun(MARCH + DAY)
    recharging.paid(intent, now=MARCH + 2 * DAY)
    contract.refresh_from_db()
    assert contract.state == State.ACCEPTED
    assert Transfer.objects.get(credit_id=2900).amount == 5


def test_a_first_try_that_had_failed_and_arrives_begins_it(acme: Organization, alice: User) -> None:
    """On its first day, though by then no further try was left."""
    contract = contracts.accepted(acme, alice)
    contracts.begun()
    first = contracts.refused(acme)
    for hours in (1, 6, 18):
        contracts.refused(acme, now=MARCH + hours * HOUR)
    recharging.paid(first, now=MARCH + 19 * HOUR)
    contract.refresh_from_db()
    assert (contract.state, contracts.dues(contract)) == (State.ACTIVE, [("commitment", 5_00, "paid")])
    assert contracts.moved(acme) == {(1120, 2200): 5, (1000, 1120): 5}


def test_money_of_another_amount_begins_nothing(acme: Organization, alice: User) -> None:
    """A54: it waits for staff. The card is not charged once more for what is there already."""
    contract = contracts.accepted(acme, alice)
    contracts.begun()
    plans.paid(contracts.charging(acme), now=MARCH + MINUTE, cents=4_00)
    contract.refresh_from_db()
    assert (contract.state, contracts.dues(contract)) == (State.ACCEPTED, [("commitment", 5_00, "unpaid")])
    assert not Coverage.objects.exists()
    assert Transfer.objects.get(credit_id=2900).amount == 4
    assert flows.collect_contracts(now=MARCH + 2 * HOUR) == 0
    assert "another amount" in str(_told("contract_failed")[-1]["reason"])


def test_a_commitment_on_its_way_is_no_credit_on_its_way(acme: Organization, alice: User) -> None:
    """A14: auto-recharge does not count on it."""
    contracts.accepted(acme, alice)
    contracts.begun()
    assert contracts.charging(acme).amount_cents == 5_00
    assert figures.pending(acme.pk) == 0


def test_what_is_retired_before_its_start_never_begins(acme: Organization, alice: User) -> None:
    contract = contracts.accepted(acme, alice)
    AIModel.objects.update(deprecated_on=date(2026, 2, 28))
    contracts.begun()
    contract.refresh_from_db()
    assert (contract.state, contracts.moved(acme)) == (State.WITHDRAWN, {})


# --- The other months ----------------------------------------------------------------------------------------------------


def test_each_month_begins_with_its_commitment_and_is_closed_with_what_was_not_used(
    acme: Organization, alice: User
) -> None:
    contract = contracts.running(acme, alice)
    contracts.used(acme, 4 * MILLION, at=MARCH + 9 * DAY)
    contracts.begun(APRIL)
    contracts.paid(acme, now=APRIL)
    assert months.closed(APRIL + 6 * MINUTE) == 1
    assert contracts.moved(acme) == {(1120, 2200): 10, (1000, 1120): 10, (2200, 4200): 2, (2200, 4210): 3}
    unused = Transfer.objects.get(credit_id=4210)
    assert (unused.key, unused.period) == (f"ku:{contract.public_id}:2026-03", date(2026, 3, 1))
    assert contracts.month(contract).closed_at == APRIL + 6 * MINUTE
    assert contracts.month(contract, 4).closed_at is None


def test_nobody_came_by_for_two_months(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.begun(MAY + DAY)
    assert [what for what, *_ in contracts.dues(contract)] == ["commitment"] * 3
    assert contracts.moved(acme)[1120, 2200] == 15
    # April's books and March's are closed then, and with them all of it that is over.
    months.closed(MAY + DAY)
    assert contracts.moved(acme)[2200, 4210] == 10


def test_it_ends_at_its_term(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    end = datetime(2027, 3, 1, tzinfo=UTC)
    contracts.begun(end - 60 * DAY - MINUTE)
    assert not Notice.objects.filter(kind="contract_ending").exists()
    for later in (end - 60 * DAY, end - 59 * DAY, end - MINUTE):
        contracts.begun(later)
        contract.refresh_from_db()
        assert contract.state in ("active", "past_due")
    assert Notice.objects.get(kind="contract_ending").facts["ends_on"] == "2027-03-01"
    contracts.begun(end)
    contract.refresh_from_db()
    assert (contract.state, contract.ended_as) == (State.ENDED, "term")
    assert contract.months.count() == 12
    assert not contract.covers.filter(live=True).exists()


def test_the_last_model_is_retired(acme: Organization, alice: User) -> None:
    """A29: with 15 April, so half of April is committed, and with it the contract ends."""
    contract = contracts.running(acme, alice)
    AIModel.objects.update(deprecated_on=date(2026, 4, 15))
    contracts.begun(APRIL)
    month = contracts.month(contract, 4)
    assert (month.tokens, month.amount_cents) == (5 * MILLION, 2_50)
    contracts.begun(MAY)
    contract.refresh_from_db()
    assert (contract.state, contract.ended_as) == (State.ENDED, "retired")
    assert Coverage.objects.get().valid_to == datetime(2026, 4, 16, tzinfo=UTC)
    assert contracts.moved(acme)[1120, 2200] == Decimal("7.50")


def test_while_one_model_is_left_nothing_is_cut(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice, contracts.model(), contracts.model("other-model"))
    AIModel.objects.filter(slug="other-model").update(deprecated_on=date(2026, 4, 15))
    contracts.begun(APRIL)
    assert contracts.month(contract, 4).amount_cents == 5_00


# --- Not paid ------------------------------------------------------------------------------------------------------------


def test_a_commitment_that_is_not_paid_closes_after_fourteen_days(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    for day in (0, 1, 3, 7, 13):
        contracts.begun(APRIL + day * DAY)
        contracts.refused(acme, now=APRIL + day * DAY)
    assert contracts.dues(contract)[-1] == ("commitment", 5_00, "unpaid")
    assert [facts["retry_at"] is None for facts in _told("contract_failed")] == [False] * 4 + [True]
    contracts.begun(APRIL + 14 * DAY - MINUTE)
    contract.refresh_from_db()
    assert contract.state == State.ACTIVE
    contracts.begun(APRIL + 14 * DAY)
    contract.refresh_from_db()
    assert contract.state == State.PAST_DUE
    # It goes on: what is owed stays owed, and May comes too.
    contracts.begun(MAY)
    assert contracts.moved(acme)[1120, 2200] == 15


def test_what_she_tries_herself_takes_none_of_the_other_tries(acme: Organization, alice: User) -> None:
    """A57: after 1, 3, 7 and 13 days, and by the customer at any time."""
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    contracts.refused(acme, now=APRIL)
    for hours in range(1, 7):
        contracts.dunned_again(acme, now=APRIL + hours * HOUR)
        contracts.refused(acme, now=APRIL + hours * HOUR)
    due = contract.dues.latest("pk")
    assert (due.stage, due.next_try_at, due.tries) == ("due", APRIL + DAY, 7)
    contracts.refused(acme, now=APRIL + 4 * DAY)
    due.refresh_from_db()
    assert due.next_try_at == APRIL + 7 * DAY, "a try that was missed is not made up for"


def test_a_try_that_had_failed_and_arrives_opens_it_again(acme: Organization, alice: User) -> None:
    """The bank took the money after all: nothing is owed, whichever try it was."""
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    first = contracts.refused(acme, now=APRIL)
    for day in (1, 3, 7, 13):
        contracts.refused(acme, now=APRIL + day * DAY)
    contracts.begun(APRIL + 14 * DAY)
    recharging.paid(first, now=APRIL + 15 * DAY)
    assert contracts.dues(contract)[-1] == ("commitment", 5_00, "over")
    contracts.begun(APRIL + 15 * DAY)
    contract.refresh_from_db()
    assert contract.state == State.ACTIVE


def test_without_a_card_it_waits_for_one(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    PaymentMethod.objects.update(detached_at=MARCH + DAY)
    contracts.begun(APRIL)
    assert flows.collect_contracts(now=APRIL) == 1
    assert contracts.dues(contract)[-1][2] == "no_card"
    assert _told("contract_failed")[-1]["reason"] == "There is no saved card that can be charged."
    collecting.found_cards(now=APRIL + DAY)
    assert contracts.dues(contract)[-1][2] == "no_card"
    cards.saved(acme)
    collecting.found_cards(now=APRIL + DAY)
    contracts.paid(acme, now=APRIL + DAY)
    assert contracts.dues(contract)[-1][2] == "paid"


def test_two_people_end_what_is_not_paid(acme: Organization, alice: User, bob: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    with pytest.raises(EndRefused, match="past due"):
        flows.end_unpaid_contract(contract, by=alice.pk, reason="not paid", now=APRIL)
    for day in (0, 1, 3, 7, 13):
        contracts.refused(acme, now=APRIL + day * DAY)
    later = APRIL + 20 * DAY
    contracts.begun(later)
    proposed = flows.end_unpaid_contract(contract, by=alice.pk, reason="not paid", now=later)
    assert proposed.state == State.PAST_DUE
    with pytest.raises(EndRefused, match="second person"):
        flows.end_unpaid_contract(contract, by=alice.pk, reason="not paid", now=later)
    ended = flows.end_unpaid_contract(contract, by=bob.pk, reason="seen", now=later + HOUR)
    assert (ended.state, ended.ended_as) == (State.ENDED, "unpaid")
    assert Coverage.objects.get().valid_to == later + HOUR
    contracts.begun(MAY)
    assert contracts.moved(acme)[1120, 2200] == 10


def _told(kind: str) -> list[dict[str, object]]:
    return list(Notice.objects.filter(kind=kind).order_by("pk").values_list("facts", flat=True))


def test_it_pays_late_and_goes_on(acme: Organization, alice: User) -> None:
    contract = contracts.running(acme, alice)
    contracts.begun(APRIL)
    for day in (0, 1, 3, 7, 13):
        contracts.refused(acme, now=APRIL + day * DAY)
    later = APRIL + 20 * DAY
    contracts.begun(later)
    contracts.dunned_again(acme, now=later)
    contracts.paid(acme, now=later)
    contract.refresh_from_db()
    assert contract.state == State.ACTIVE
    assert contracts.moved(acme)[1000, 1120] == 10
    flows.sweep(now=later)

"""How a contract comes to be: drafted and offered by staff, accepted by an owner word for word, withdrawn, put off."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import flows
from billing.contracts import agreement, signing
from billing.contracts.models import Acceptance, ContractAct, ContractModel, State
from billing.contracts.signing import SigningRefused
from billing.coverage.models import Coverage, Payer, PayerBase
from billing.notices.models import Notice
from orgs.models import Organization, User
from tests.factories import cards, contracts
from tests.factories.contracts import DAY, FEBRUARY, MARCH

pytestmark = pytest.mark.django_db


def test_from_draft_to_accepted(acme: Organization, alice: User) -> None:
    contract = contracts.accepted(acme, alice)
    assert (contract.state, contract.amount_cents, contract.overage_limit_cents) == (State.ACCEPTED, 5_00, 5_00)
    assert (contract.starts_on, contract.ends_on) == (date(2026, 3, 1), date(2027, 3, 1))
    said = Acceptance.objects.get()
    assert (said.by, said.name, said.at, said.wording) == (alice, "Alice Archer", FEBRUARY, agreement.VERSION)
    assert "10,000,000 tokens per calendar month" in said.text
    assert bytes(said.digest) == agreement.digest(said.text)
    assert list(ContractAct.objects.order_by("pk").values_list("act", "by", "reason")) == [
        ("drafted", alice.pk, "asked for by mail"),
        ("offered", alice.pk, ""),
    ]
    assert Notice.objects.get(kind="contract_offered").facts["amount"] == "5.00"
    # Nothing is charged and nothing covered before it begins.
    assert not Coverage.objects.exists()
    assert contracts.dues(contract) == []


def test_accepted_twice_it_is_accepted_once(acme: Organization, alice: User, bob: User) -> None:
    contract = contracts.accepted(acme, alice)
    again = contracts.signed(contract, bob, name="Bob Baker", now=FEBRUARY + DAY)
    assert (again.accepted_at, Acceptance.objects.get().by) == (FEBRUARY, alice)


def test_it_is_accepted_as_it_was_read(acme: Organization, alice: User) -> None:
    contract = contracts.offered(acme, alice)
    cards.saved(acme)
    with pytest.raises(SigningRefused, match="words have changed"):
        flows.accept_contract(contract, by=alice.pk, name="Alice Archer", digest="00" * 32, now=FEBRUARY)
    with pytest.raises(SigningRefused, match="full name"):
        contracts.signed(contract, alice, name=" ")


def test_without_a_card_it_is_not_accepted(acme: Organization, alice: User) -> None:
    with pytest.raises(SigningRefused, match="Save a card"):
        contracts.accepted(acme, alice, card=False)


def test_a_start_that_is_past_is_neither_offered_nor_accepted(acme: Organization, alice: User) -> None:
    draft, offer = contracts.drafted(acme, alice), contracts.offered(acme, alice)
    cards.saved(acme)
    with pytest.raises(SigningRefused, match="start is past"):
        flows.offer_contract(draft, by=alice.pk, now=MARCH)
    with pytest.raises(SigningRefused, match="start is past"):
        contracts.signed(offer, alice, now=MARCH)


def test_staff_withdraw_what_nobody_accepted(acme: Organization, alice: User) -> None:
    contract = contracts.offered(acme, alice)
    with pytest.raises(SigningRefused, match="Say why"):
        flows.withdraw_contract(contract, by=alice.pk, reason=" ", now=FEBRUARY)
    gone = flows.withdraw_contract(contract, by=alice.pk, reason="a mistake", now=FEBRUARY)
    assert (gone.state, gone.over_at) == (State.WITHDRAWN, FEBRUARY)
    cards.saved(acme)
    with pytest.raises(SigningRefused, match="not offered"):
        contracts.signed(contract, alice)
    with pytest.raises(SigningRefused, match="cannot be withdrawn"):
        accepted = contracts.accepted(acme, alice, starts_on=date(2026, 4, 1))
        flows.withdraw_contract(accepted, by=alice.pk, reason="too late", now=FEBRUARY)


def test_one_contract_covers_a_model_at_a_time(acme: Organization, alice: User) -> None:
    """A21: a second one for the same model starts where the first one ends; for another model at once."""
    first = contracts.accepted(acme, alice)
    with pytest.raises(SigningRefused, match="covers one of its models"):
        contracts.offered(acme, alice, starts_on=date(2027, 2, 1))
    contracts.accepted(acme, alice, starts_on=first.ends_on)
    contracts.accepted(acme, alice, contracts.model("other-model"))
    assert ContractModel.objects.filter(live=True).count() == 3


def test_a_model_under_a_plan_waits_for_its_end(acme: Organization, alice: User) -> None:
    model = contracts.model()
    Coverage.objects.create(
        wallet_id=acme.pk, model_id=model.pk, payer=Payer.SUBSCRIPTION, source_id=1, valid_from=FEBRUARY,
        valid_to=MARCH + DAY,
    )  # fmt: skip
    with pytest.raises(SigningRefused, match="covers one of its models"):
        contracts.offered(acme, alice)
    contracts.accepted(acme, alice, starts_on=date(2026, 4, 1))
    # And no plan is sold into the time that is reserved.
    with pytest.raises(IntegrityError, match="reserved by a contract"), transaction.atomic():
        Coverage.objects.create(
            wallet_id=acme.pk, model_id=model.pk, payer=Payer.SUBSCRIPTION, source_id=1, valid_from=MARCH + DAY,
            valid_to=MARCH + 40 * DAY,
        )  # fmt: skip


def test_marketplace_organizations_have_no_contracts_here(acme: Organization, alice: User) -> None:
    PayerBase.objects.filter(wallet=acme.pk).update(payer=Payer.MARKETPLACE)
    with pytest.raises(SigningRefused, match="AWS Marketplace"):
        contracts.offered(acme, alice)


def test_a_draft_says_why_and_covers_something(acme: Organization, alice: User) -> None:
    with pytest.raises(SigningRefused, match="Say why"):
        contracts.drafted(acme, alice, reason="")
    empty = contracts.wanted(acme)
    with pytest.raises(SigningRefused, match="at least one model"):
        flows.draft_contract(signing.Draft(acme.pk, empty.terms, {}, "why"), by=alice.pk, now=FEBRUARY)


def test_an_owner_sets_the_overage_limit(acme: Organization, alice: User) -> None:
    contract = contracts.accepted(acme, alice)
    changed = flows.set_contract_limit(contract, 20_00, by=alice.pk, now=FEBRUARY)
    assert changed.overage_limit_cents == 20_00
    assert ContractAct.objects.get(act="limit_set").reason == "500 to 2000 cents a month"
    with pytest.raises(SigningRefused, match="at most"):
        flows.set_contract_limit(contract, 10**9, by=alice.pk, now=FEBRUARY)


def test_terms_are_kept_to_the_last_digit(acme: Organization, alice: User) -> None:
    kept = contracts.drafted(acme, alice, tokens=12_500_000, per_million=Decimal("0.4248"))
    assert (kept.amount_cents, kept.terms.per_million, kept.price_usd) == (
        5_31,
        Decimal("0.4248"),
        Decimal("0.0000004248"),
    )

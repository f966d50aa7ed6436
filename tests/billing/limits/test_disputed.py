"""Pay as you go under a dispute: closed while claw-back debt is open, or when nothing is left beside what is held (A2)."""

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from billing import flows
from billing.catalog.models import AIModel
from billing.coverage.models import Payer, PayerBase
from billing.limits import feed, resolved
from billing.limits.answers import ModelAnswer, Reason
from billing.limits.models import LimitsAnswer
from billing.metering.models import Gateway
from billing.payments import answers
from billing.payments.models import Intent
from orgs.models import User
from tests.billing.limits.conftest import Acme
from tests.factories import books
from tests.factories.usage import bought

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.books_differ("hour_of_events", "minute_of_events"),  # usage is told here by the minute, without events
]


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


def buy(place: Acme, usd: str) -> Intent:
    with transaction.atomic():
        grant = bought(place.organization, usd, now=timezone.now())
    intent = Intent.objects.get(pk=str(grant.payment_id))
    intent.charge_id = f"ch_{intent.pk.hex}"
    intent.save()
    return intent


def dispute(intent: Intent, *moved: int, status: str = "needs_response", now: datetime | None = None) -> None:
    now = now or timezone.now()
    movements = tuple(answers.Movement(f"txn_{n}", cents, "usd", now) for n, cents in enumerate(moved))
    told = answers.Dispute(
        "dp_1", status, "fraudulent", intent.amount_cents, "usd", intent.charge_id or "", "", now, movements
    )  # fmt: skip
    assert flows.dispute_told(told, now=now) is not None


def spend(place: Acme, model: AIModel, micros: int) -> None:
    """Input tokens at 0.35 USD the million."""
    books.accepted(place.key.key, model, timezone.now(), tokens_in=micros, tokens_out=0)
    books.charged(now=timezone.now())


def ask(place: Acme) -> ModelAnswer:
    return place.ask(timezone.now()).models[0]


def version(place: Acme) -> int:
    return LimitsAnswer.objects.get(org_id=place.id).version


def test_credit_that_a_dispute_holds_closes_with_its_own_reason(team: Acme) -> None:
    intent = buy(team, "10")
    before = version(team)
    dispute(intent, status="warning_needs_response")
    told = ask(team)
    assert (told.http_status, told.reason) == (402, Reason.PAYMENT_DISPUTED)
    assert told.remedy == (
        "A payment of Acme Research is disputed with its bank, which holds its credit until that is decided. "
        "Buy credit for Acme Research: requests work again within 10 seconds of the payment."
    )
    held = version(team)
    assert held > before
    dispute(intent, status="warning_closed")
    assert (ask(team).http_status, version(team) > held) == (200, True)


def test_other_credit_goes_on_beside_what_is_held(team: Acme) -> None:
    intent = buy(team, "10")
    team.give("5")
    before = version(team)
    dispute(intent, status="warning_needs_response")
    assert (ask(team).http_status, version(team)) == (200, before)


def test_debt_closes_also_beside_credit_and_a_purchase_that_pays_it_opens(team: Acme, gpt: AIModel) -> None:
    intent = buy(team, "35")
    team_credit_before = version(team)
    spend(team, gpt, 100_000_000)
    dispute(intent, -35_00)
    team.give("50")
    told = ask(team)
    assert (told.http_status, told.reason) == (402, Reason.PAYMENT_DISPUTED)
    assert told.remedy == (
        "A payment of Acme Research was taken back after its credit was used, so Acme Research owes that amount. "
        "Buy credit for Acme Research to pay it: requests work again within 10 seconds of the payment."
    )
    owing = version(team)
    assert owing > team_credit_before
    buy(team, "40")
    assert (ask(team).http_status, version(team) > owing) == (200, True)


def test_debt_that_is_forgiven_opens_and_is_news(team: Acme, gpt: AIModel, alice: User) -> None:
    intent = buy(team, "35")
    spend(team, gpt, 100_000_000)
    dispute(intent, -35_00)
    team.give("50")
    before = version(team)
    flows.forgive_debt(team.id, Decimal(35), reason="Their bank erred", nonce=uuid4(), by=alice.pk, now=timezone.now())
    assert (ask(team).http_status, version(team) > before) == (200, True)


def test_a_personal_organization_falls_back_to_free_usage(personal: Acme, gpt: AIModel) -> None:
    intent = buy(personal, "35")
    assert PayerBase.objects.get(wallet_id=personal.id).payer == Payer.CREDITS
    spend(personal, gpt, 50_000_000)
    dispute(intent, -35_00)
    told = ask(personal)
    assert (told.http_status, told.tier, told.payer) == (200, "free", "free")
    assert PayerBase.objects.get(wallet_id=personal.id).payer == Payer.FREE
    personal.give("50")
    assert ask(personal).reason == Reason.PAYMENT_DISPUTED


def test_the_feed_tells_of_it(team: Acme, gateway: Gateway) -> None:
    intent = buy(team, "10")
    now = timezone.now()
    resolved.remember(gateway.pk, team.key.key.pk, team.key.key.public_id, now=now)
    start = feed.start(now=now)
    dispute(intent, -10_00)
    (change,) = feed.since(start.cursor, gateway.pk, now=timezone.now()).changes
    assert [model.reason for model in change.models] == [Reason.PAYMENT_DISPUTED]

"""The comparison of test_calls.py can fail: with a guard taken out, the same trouble loses money or opens two pages."""

from typing import Any
from uuid import uuid4

import pytest

from billing.payments import gateway
from billing.payments.answers import Checkout
from billing.webhooks import stripe as webhooks
from tests.faults import living
from tests.faults.living import World
from tests.faults.moments import MOMENTS
from tests.faults.test_calls import met, wrongs
from tests.faults.troubles import BY_NAME

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

LOOK, CLICK = "read checkout, paid, poller", "create checkout, second click after a lost answer"


def ended(world: World, moment: str, trouble: str, number: int) -> list[str]:
    """What is wrong after this trouble at this moment."""
    (chosen,) = [known for known in MOMENTS if str(known) == moment]
    life = living.begun(world, number)
    met(life, chosen, (BY_NAME[trouble],))
    return wrongs(life, chosen.ends)


def test_whoever_takes_an_unknown_answer_for_a_no_loses_money(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(world, LOOK, "500 before", 1) == []
    read = gateway.read_checkout

    def guesses(checkout_id: str) -> Checkout:
        try:
            return read(checkout_id)
        except gateway.Unknown:
            return Checkout(checkout_id, "expired", "unpaid", 50_00, "usd", "", living.BEGINNING, None, None)

    monkeypatch.setattr(gateway, "read_checkout", guesses)
    monkeypatch.setattr(webhooks, "MEANS", {})
    assert "LOST" in ended(world, LOOK, "500 before", 2)


def test_whoever_asks_again_with_another_key_opens_two_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(world, CLICK, "connection reset after", 1) == []
    create = gateway.create_checkout

    def forgetful(new: Any, *, key: str) -> Checkout:
        return create(new, key=f"{key}:{uuid4()}")

    monkeypatch.setattr(gateway, "create_checkout", forgetful)
    wrong = ended(world, CLICK, "connection reset after", 2)
    assert any("open pages at Stripe" in difference for difference in wrong), wrong

"""The links of the mails about auto-recharge: no sign-in, one button, and nothing by looking."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import flows
from billing.payments import detaching, methods, polling
from billing.payments.models import Intent, Purpose, State
from billing.recharge import links, rules
from billing.recharge.models import Attempt, Rule, Standing, Why
from orgs.models import Organization, Role, User
from sandbox.stripe import Running
from tests.billing.views.buying import text
from tests.factories import recharging
from tests.factories.adding_cards import saved
from tests.factories.paying import PAYS

pytestmark = pytest.mark.django_db(transaction=True)

ALWAYS_ASKS = "4000002760003184"


@pytest.fixture(autouse=True)
def the_books_are_right(books_are_right: None) -> None:
    """Whatever these tests do to money, every promise holds afterwards."""


def address(kind: str, token: str) -> str:
    return reverse(f"billing:recharge_{kind}", kwargs={"token": token})


# --- Stop ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rule(acme: Organization, alice: User) -> Rule:
    return recharging.on(acme, alice, now=timezone.now())


def stop_link(rule: Rule) -> str:
    return address("stop", links.stop_token(rule.wallet_id, rule.consent_id))


def test_looking_stops_nothing_pressing_does(client: Client, rule: Rule) -> None:
    link = stop_link(rule)
    page = text(client.get(link))
    assert "For Acme Research, Visa ending 4242 is charged whenever credit falls below $20.00, up to $50.00." in page
    rule.refresh_from_db()
    assert rule.standing == Standing.ON
    for _ in range(2):
        answer = client.post(link, follow=True)
        assert "Auto-recharge is off For Acme Research no card is charged automatically" in text(answer)
    rule.refresh_from_db()
    assert (rule.standing, rule.why) == (Standing.OFF, Why.LINK)


def test_a_link_of_an_earlier_agreement_stops_nothing(
    client: Client, acme: Organization, alice: User, rule: Rule
) -> None:
    link = stop_link(rule)
    recharging.on(acme, alice, card=rule.method, now=timezone.now())
    for answer in (client.get(link), client.post(link)):
        assert answer.status_code == 404
        assert "Auto-recharge was set anew since this mail was sent." in text(answer)
    rule.refresh_from_db()
    assert rule.standing == Standing.ON


@pytest.mark.parametrize("kind", ["stop", "finish"])
def test_forged_links_do_nothing(client: Client, rule: Rule, kind: str) -> None:
    good = links.stop_token(rule.wallet_id, rule.consent_id)
    for token in (
        "x",
        good[:-1],
        good + "x",
        good.replace(":", ";"),
        links.finish_token(uuid4()),
        "\u00e9" * 20,
        "0" * 2000,
    ):
        if (kind, token) == ("stop", good):
            continue
        for answer in (client.get(address(kind, token)), client.post(address(kind, token))):
            assert answer.status_code == 404
            assert "This link does not work" in text(answer)
    rule.refresh_from_db()
    assert rule.standing == Standing.ON


def test_one_kind_of_link_is_not_the_other(client: Client, rule: Rule) -> None:
    token = links.stop_token(rule.wallet_id, rule.consent_id)
    assert client.get(address("finish", token)).status_code == 404


# --- Finish ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def refused(stripe: Running, acme: Organization, alice: User) -> Attempt:
    """The bank wants its customer to confirm: auto-recharge is paused."""
    method = saved(stripe, acme, alice, ALWAYS_ASKS, authenticate=True)
    flows.switch_recharge_on(acme.pk, recharging.wish(method), by=alice.pk, now=timezone.now())
    assert rules.of(acme.pk).standing == Standing.PAUSED  # type: ignore[union-attr]
    return Attempt.objects.get()


def finish_link(attempt: Attempt) -> str:
    return address("finish", links.finish_token(attempt.pk))


def purchase() -> Intent:
    return Intent.objects.get(purpose=Purpose.CREDITS)


def test_paid_in_the_browser_it_goes_on(stripe: Running, client: Client, refused: Attempt) -> None:
    link = finish_link(refused)
    page = text(client.get(link))
    assert "For Credit of Acme Research, valid for one year" in page
    assert "Continue to pay $50.00" in page
    assert not Intent.objects.filter(purpose=Purpose.CREDITS).exists(), "looking begins nothing"

    away = [client.post(link)["Location"] for _ in range(2)]
    intent = purchase()
    assert away == [intent.checkout_url] * 2
    session = stripe.sandbox.world.find("checkout.session", intent.checkout_id or "")
    assert session["success_url"] == f"http://127.0.0.1:8000/recharge/paid/{intent.pk}?returned=1"
    assert "Confirming" in text(client.get(f"/recharge/paid/{intent.pk}"))
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    flows.payment_outcome(intent.pk, polling.ask(intent.pk, now=timezone.now()), now=timezone.now())

    assert "Paid $50.00 is in the credit of Acme Research" in text(client.get(f"/recharge/paid/{intent.pk}"))
    assert "Paid $50.00 is in the credit of Acme Research" in text(client.get(link))
    assert client.post(link)["Location"] == link, "paid once is paid"
    assert rules.of(refused.wallet_id).standing == Standing.ON  # type: ignore[union-attr]
    assert stripe.admin.books()["totals"]["net"] == 50_00


def test_the_card_that_its_bank_has_just_confirmed_is_the_one_that_is_charged_next(
    stripe: Running, client: Client, refused: Attempt
) -> None:
    """The same card, as Stripe saved it this time: the old copy, at which the bank would ask for ever, is let go."""
    old = rule_of(refused).method
    client.post(finish_link(refused))
    stripe.admin.pay(purchase().checkout_id or "", ALWAYS_ASKS, authenticate=True)
    flows.payment_outcome(purchase().pk, polling.ask(purchase().pk, now=timezone.now()), now=timezone.now())

    old.refresh_from_db()
    [kept] = methods.of(refused.wallet_id)
    assert (kept.last4, kept.is_default) == (old.last4, True)
    assert rule_of(refused).method == kept != old
    assert detaching.due(now=timezone.now()) == [old.pk]
    assert rule_of(refused).consent.card == str(kept), "what was agreed to is this card"


def test_another_card_pays_once_and_is_not_the_rules(stripe: Running, client: Client, refused: Attempt) -> None:
    old = rule_of(refused).method
    assert "another one for this payment alone" in text(client.get(finish_link(refused)))
    client.post(finish_link(refused))
    stripe.admin.pay(purchase().checkout_id or "", PAYS)
    flows.payment_outcome(purchase().pk, polling.ask(purchase().pk, now=timezone.now()), now=timezone.now())
    assert (rule_of(refused).method, rule_of(refused).standing) == (old, Standing.ON)
    assert methods.default(refused.wallet_id) == old


def rule_of(attempt: Attempt) -> Rule:
    rule = rules.of(attempt.wallet_id)
    assert rule
    return rule


def test_a_member_comes_back_to_the_purchase(
    stripe: Running, alice_client: Client, alice: User, refused: Attempt
) -> None:
    alice_client.post(finish_link(refused))
    assert purchase().created_by == alice
    assert client_sees(alice_client, f"/o/acme/billing/purchases/{purchase().pk}")


def client_sees(client: Client, address: str) -> bool:
    return client.get(address).status_code == 200


@pytest.mark.parametrize("bob_role", [Role.VIEWER])
def test_whoever_may_not_move_money_pays_like_anybody(stripe: Running, bob_client: Client, refused: Attempt) -> None:
    bob_client.post(finish_link(refused))
    assert purchase().created_by is None


def test_after_72_hours_it_is_over(stripe: Running, client: Client, refused: Attempt) -> None:
    link = finish_link(refused)
    with time_machine.travel(timezone.now() + timedelta(hours=73)):
        for answer in (client.get(link), client.post(link)):
            assert answer.status_code == 404
            assert "This link was good for 72 hours." in text(answer)
    assert not Intent.objects.filter(purpose=Purpose.CREDITS).exists()


def test_switched_off_there_is_nothing_to_pay(stripe: Running, client: Client, refused: Attempt) -> None:
    flows.switch_recharge_off(refused.wallet_id, now=timezone.now())
    assert "Nothing to pay" in text(client.get(finish_link(refused)))
    assert client.post(finish_link(refused)).status_code == 302
    assert not Intent.objects.filter(purpose=Purpose.CREDITS).exists()


def test_when_stripe_is_away_it_says_so_and_charges_nothing(stripe: Running, client: Client, refused: Attempt) -> None:
    stripe.admin.fault("error", status=503, method="POST", path="/v1/checkout/sessions")
    answer: Any = client.post(finish_link(refused), follow=True)
    assert purchase().state == State.UNKNOWN
    assert "Confirming" in text(answer)
    assert "You need not pay again." in text(answer)


def test_purchases_of_people_are_not_shown_to_anybody(
    stripe: Running, client: Client, alice_client: Client, refused: Attempt
) -> None:
    alice_client.post(finish_link(refused))
    assert client.get(f"/recharge/paid/{purchase().pk}").status_code == 404

"""Choosing a plan: what is shown is what is charged, to the cent, or nothing is."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from billing.catalog.models import Plan
from billing.payments.models import Intent
from billing.subscriptions.models import Charge, Quote, State, Subscription
from orgs.models import Organization, Role, User
from sandbox.stripe import Running
from tests.billing.views.buying import text
from tests.billing.views.conftest import NOW
from tests.factories import adding_cards, cards, catalog, plans, usage
from tests.factories.paying import ASKS, NO_FUNDS, PAYS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_are_right")]

PLANS = "/o/acme/plans"
at_stripe = pytest.mark.django_db(transaction=True)
"""Stripe is never called inside a transaction, a test's neither."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def pro(acme: Organization) -> Plan:
    catalog.first_catalog()
    return Plan.objects.get(slug="code-pro")


@pytest.fixture
def larger(pro: Plan) -> Plan:
    return Plan.objects.get(slug="code-max")


def asked(client: Client, plan: str = "code-pro", **more: str) -> str:
    """The page with the quote: its address."""
    answer = client.post(f"{PLANS}/quote", {"plan": plan, **more})
    assert answer.status_code == 302
    return str(answer["Location"])


# --- What it says ----------------------------------------------------------------------------------------------------------


def test_what_will_happen(alice_client: Client, acme: Organization, pro: Plan, at_noon: object) -> None:
    cards.saved(acme)
    usage.bought(acme, "60", now=NOW)
    shown = text(alice_client.get(asked(alice_client)))
    for said in (
        "Code Pro, one month $50.00", "You pay now $50.00", "Begins As soon as it is paid",
        "First period until 14 May 2026, 12:41 UTC", "Then monthly $50.00", "Visa ending 4242",
        "Another card, on Stripe’s page",
        "Pay $50.00 and subscribe", "This price holds until 12:51 UTC",
        "Requests for zai-glm-4.7 never use your credit: your $60.00 stays for other models",
        "24 M tokens a day (UTC). Beyond them requests get 429 until 00:00 UTC: credit does not step in.",
        "250,000 tokens and 50 requests a minute, instead of 500,000 tokens and 500 requests a minute when",
        "nothing is refunded in part",
    ):  # fmt: skip
        assert said in shown, said
    assert not Charge.objects.exists()


def test_an_upgrade_says_the_rule_and_the_figures_it_follows_from(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, larger: Plan, at_noon: object
) -> None:
    """A28: 16 of 30 days at a difference of 150 dollars."""
    running = plans.begun(acme, pro, alice, now=NOW - 14 * DAY)
    plans.scheduled(running, None, alice, now=NOW)
    shown = text(alice_client.get(asked(alice_client, "code-max")))
    for said in (
        "Code Max a month $200.00", "Less Code Pro, paid for this period −$50.00", "Difference a month $150.00",
        "Time left 16 d of 30 d", "as of 14 Apr 2026, 12:41:08 UTC, down to the cent",
        "You pay now $80.00", "Paid until 30 Apr 2026, 12:41 UTC",
        "Then monthly $200.00", "Pay $80.00 and upgrade", "120 M tokens a day (UTC), instead of 24 M",
        "This takes back what is scheduled: Code Pro does not end on 30 Apr 2026",
    ):  # fmt: skip
        assert said in shown, said


def test_used_grace_is_paid_first_and_said(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, at_noon: object
) -> None:
    running = plans.begun(acme, pro, alice, now=NOW.replace(month=1))
    plans.renewed(running, now=NOW.replace(month=2))
    for days in (0, 1, 3, 5, 7):
        plans.refused(running, now=NOW.replace(month=3) + timedelta(days=days))
    assert running.state == State.ENDED
    shown = text(alice_client.get(asked(alice_client)))
    assert "Days of grace used before $11.29" in shown
    assert "You pay now $61.29" in shown
    assert "Pay $61.29 and subscribe" in shown


# --- Paying ----------------------------------------------------------------------------------------------------


@at_stripe
def test_alice_pays_with_a_saved_card(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    card = adding_cards.saved(stripe, acme, alice)
    page = asked(alice_client)
    answer = alice_client.post(page, {"card": str(card.pk)}, follow=True)
    shown = text(answer)
    assert "Paid Code Pro has begun. It is paid until" in shown
    assert "Then $50.00 a month, charged to Visa ending 4242, unless you cancel." in shown
    running, intent = Subscription.objects.get(), Intent.objects.get()
    assert (running.state, running.method, intent.amount_cents) == (State.ACTIVE, card, 50_00)
    # The second click, and the quote's own address, lead to the same payment.
    for again in (alice_client.post(page, {"card": str(card.pk)}), alice_client.get(page)):
        assert again["Location"] == f"{PLANS}/payments/{intent.pk}"
    assert Intent.objects.count() == 1


@at_stripe
def test_alice_pays_on_stripes_page(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, pro: Plan
) -> None:
    shown = alice_client.get(asked(alice_client))
    assert "Continue to pay $50.00" in text(shown)
    answer = alice_client.post(asked(alice_client), {"card": "page"})
    intent = Intent.objects.get()
    assert answer["Location"] == intent.checkout_url
    waits = text(alice_client.get(PLANS))
    assert "$50.00 for Code Pro is not paid yet. It begins when it is paid, and covers nothing until then." in waits
    assert "Begins when it is paid" in waits
    assert "Choose Code Max" not in waits
    assert "Not paid yet" in text(alice_client.get(f"{PLANS}/payments/{intent.pk}"))
    stripe.admin.pay(intent.checkout_id or "", PAYS)
    assert "Confirming" in text(alice_client.get(f"{PLANS}/payments/{intent.pk}?returned=1"))
    alice_client.post(f"{PLANS}/payments/{intent.pk}/check")
    assert "Code Pro has begun" in text(alice_client.get(f"{PLANS}/payments/{intent.pk}"))
    running = Subscription.objects.get()
    assert running.method is not None
    assert running.method.last4 == "4242"


@at_stripe
def test_a_payment_that_is_given_up_leaves_the_way_free(
    stripe: Running, alice_client: Client, acme: Organization, pro: Plan
) -> None:
    alice_client.post(asked(alice_client), {"card": "page"})
    intent = Intent.objects.get()
    alice_client.post(f"{PLANS}/payments/{intent.pk}/cancel")
    shown = text(alice_client.get(f"{PLANS}/payments/{intent.pk}"))
    assert "Not paid" in shown
    assert "Code Pro did not begin." in shown
    assert "Choose Code Pro" in text(alice_client.get(PLANS))


@at_stripe
@pytest.mark.parametrize(("number", "says"), [(NO_FUNDS, "does not have enough funds"), (ASKS, "asked you to confirm")])
def test_a_saved_card_that_is_refused(
    stripe: Running, alice_client: Client, acme: Organization, alice: User, pro: Plan, number: str, says: str
) -> None:
    """A bank that wants its customer to confirm gets him, on Stripe's page; nothing has begun and nothing is owed."""
    card = adding_cards.saved(stripe, acme, alice)
    stripe.admin.behave(card.stripe_id, "authentication_required" if number == ASKS else "insufficient_funds")
    answer = alice_client.post(asked(alice_client), {"card": str(card.pk)}, follow=True)
    shown = text(answer)
    assert says in shown
    assert "Code Pro did not begin." in shown
    assert ("Pay on Stripe’s page" in shown) is (number == ASKS)
    assert Subscription.objects.get().state == State.ENDED
    if number == ASKS:
        page = alice_client.get(asked(alice_client, card="page")).content.decode()
        assert 'value="page" checked' in page


def test_an_upgrade_that_costs_nothing_is_done_at_once(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, larger: Plan, at_noon: object
) -> None:
    """A28: below 0.50 it is free."""
    plans.begun(acme, pro, alice, now=NOW.replace(month=3) + timedelta(minutes=60))
    page = asked(alice_client, "code-max")
    shown = text(alice_client.get(page))
    assert "Upgrade now, nothing to pay" in shown
    assert "below $0.50 it is free" in shown
    answer = alice_client.post(page, follow=True)
    assert "Code Max holds from now on. Nothing was charged." in text(answer)
    assert Subscription.objects.get().plan == larger


# --- What does not hold any more, and what cannot be ------------------------------------------------------------


def test_a_price_that_changed_is_shown_anew_and_not_charged(
    alice_client: Client, acme: Organization, pro: Plan, at_noon: object
) -> None:
    card = cards.saved(acme)
    page = asked(alice_client)
    Plan.objects.filter(pk=pro.pk).update(price_usd=60)
    answer = alice_client.post(page, {"card": str(card.pk)})
    shown = text(answer)
    assert "Look again before you pay. The price has changed. Look at it again. Nothing was charged." in shown
    assert "It was $50.00, and is $60.00 now." in shown
    assert "Pay $60.00 and subscribe" in shown
    assert Quote.objects.count() == 2
    assert f"{PLANS}/quotes/{Quote.objects.exclude(pk=page.rsplit('/', 1)[1]).get().pk}" in answer.content.decode()
    assert not Charge.objects.exists()


def test_after_ten_minutes_the_price_is_asked_for_again(
    alice_client: Client, acme: Organization, pro: Plan, at_noon: object
) -> None:
    card = cards.saved(acme)
    page = asked(alice_client)
    with time_machine.travel(NOW + 10 * MINUTE, tick=False):
        shown = text(alice_client.get(page))
        assert "This price was held for ten minutes. Look at it again. Nothing was charged." in shown
        assert "Show the price now" in shown
        assert "Pay $50.00" not in shown
        answer = alice_client.post(page, {"card": str(card.pk)})
        assert "Look again before you pay." in text(answer)
    assert not Charge.objects.exists()


def test_what_cannot_be_bought_any_more_leads_back(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, at_noon: object
) -> None:
    page = asked(alice_client)
    plans.begun(acme, pro, alice, now=NOW)
    assert "Code Pro is the plan there is" in text(alice_client.get(page))
    shown = text(alice_client.post(page, {"card": "page"}))
    assert "Code Pro is the plan there is. To keep it, withdraw what is scheduled. Nothing was charged." in shown
    assert "Pay $50.00" not in shown
    answer = alice_client.post(f"{PLANS}/quote", {"plan": "code-pro"}, follow=True)
    assert answer.redirect_chain == [(PLANS, 302)]
    assert "Code Pro is the plan there is." in text(answer)
    assert Charge.objects.count() == 1


def test_a_card_that_cannot_be_charged_is_no_choice(
    alice_client: Client, acme: Organization, charlie_personal: Organization, pro: Plan, at_noon: object
) -> None:
    expired, strangers = cards.saved(acme, "1111", expires=(2026, 3)), cards.saved(charlie_personal, "2222")
    page = asked(alice_client)
    shown = text(alice_client.get(page))
    assert "1111" not in shown
    assert "2222" not in shown
    for card in (expired.pk, strangers.pk, "0", "-1", "x", "page "):
        answer = alice_client.post(page, {"card": str(card)})
        assert "Choose one of these cards. Nothing was charged." in text(answer)
    assert not Charge.objects.exists()


def test_a_form_that_did_not_arrive_whole(alice_client: Client, acme: Organization, pro: Plan, at_noon: object) -> None:
    assert "did not arrive whole" in text(alice_client.post(asked(alice_client)))
    assert alice_client.post(asked(alice_client), {"card": ["page", "page"]}).status_code == 400
    answer = alice_client.post(f"{PLANS}/quote", {}, follow=True)
    assert "did not arrive whole" in text(answer)
    assert not Charge.objects.exists()


def test_of_plans_there_are_only_those_of_the_catalog(alice_client: Client, pro: Plan) -> None:
    assert alice_client.post(f"{PLANS}/quote", {"plan": "code-ultra"}).status_code == 404


def test_another_organizations_quote_does_not_exist(
    alice_client: Client,
    charlie_client: Client,
    charlie: User,
    charlie_personal: Organization,
    acme: Organization,
    pro: Plan,
) -> None:
    theirs = f"/o/{charlie_personal.slug}/plans"
    made = str(charlie_client.post(f"{theirs}/quote", {"plan": "code-pro"})["Location"]).rsplit("/", 1)[1]
    assert alice_client.get(f"{PLANS}/quotes/{made}").status_code == 404
    assert alice_client.post(f"{PLANS}/quotes/{made}", {"card": "page"}).status_code == 404
    assert charlie_client.get(asked(alice_client)).status_code == 404


@pytest.mark.parametrize("bob_role", [Role.DEVELOPER, Role.VIEWER])
def test_who_moves_no_money_buys_no_plan(bob_client: Client, alice_client: Client, pro: Plan) -> None:
    page = asked(alice_client)
    for answer in (
        bob_client.post(f"{PLANS}/quote", {"plan": "code-pro"}),
        bob_client.get(page),
        bob_client.post(page, {"card": "page"}),
    ):
        assert answer.status_code == 403
    assert not Charge.objects.exists()


def test_a_payment_that_comes_too_late_says_that_it_goes_back(
    alice_client: Client, acme: Organization, alice: User, pro: Plan, larger: Plan, at_noon: object
) -> None:
    """An upgrade that is paid when the period has rolled (A28)."""
    running = plans.begun(acme, pro, alice, now=NOW - 40 * DAY)
    charge = plans.asked(acme, larger, alice, now=NOW - 11 * DAY)
    plans.renewed(running, now=NOW - 9 * DAY)
    assert charge.intent is not None
    plans.paid(charge.intent, now=NOW)
    shown = text(alice_client.get(f"{PLANS}/payments/{charge.intent.pk}"))
    assert "Paid, and refunded" in shown
    assert "came too late for Code Max, so it changed nothing" in shown

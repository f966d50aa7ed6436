"""Payment and setup intents: in the browser, off-session, challenged, cancelled."""

from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from tests.sandbox.stripe.conftest import in_browser, off_session, saved

UNTIL_SET_UP = "pm_card_authenticationRequiredOnSetup"
ALWAYS = "pm_card_authenticationRequired"


def set_up(client: stripe.StripeClient, sandbox: Running, customer: stripe.Customer, token: str) -> str:
    """A card saved with a setup intent, challenge answered."""
    asked: Any = {"customer": customer.id, "payment_method": token, "confirm": True, "return_url": "http://127.0.0.1/x"}
    intent = client.v1.setup_intents.create(asked)
    if intent.status == "requires_action":
        sandbox.admin.authenticate(intent.id)
    done = client.v1.setup_intents.retrieve(intent.id)
    assert done.status == "succeeded"
    return str(done.payment_method)


def test_a_saved_card_pays_off_session(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    intent = client.v1.payment_intents.create(off_session(alice, saved(client, alice), 130_02))
    assert (intent.status, intent.amount_received, intent.customer) == ("succeeded", 130_02, alice.id)


def test_off_session_the_bank_wants_the_customer(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    method = saved(client, alice, ALWAYS)
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(off_session(alice, method))
    error = refused.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert error.payment_method is not None
    assert (refused.value.http_status, refused.value.code) == (402, "authentication_required")
    assert (error.decline_code, error.payment_intent.status) == ("authentication_required", "requires_payment_method")
    assert error.payment_method.id == method
    assert error.charge == error.payment_intent.latest_charge


def test_the_customer_can_finish_in_the_browser(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer
) -> None:
    method = saved(client, alice, ALWAYS)
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(off_session(alice, method))
    assert refused.value.error is not None
    assert refused.value.error.payment_intent is not None
    id = refused.value.error.payment_intent.id
    back = "http://127.0.0.1:8000/back"
    intent = client.v1.payment_intents.confirm(id, {"payment_method": method, "return_url": back})
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    assert str(intent.next_action.redirect_to_url.url).startswith(sandbox.base_url)
    sandbox.admin.authenticate(id)
    assert client.v1.payment_intents.retrieve(id).status == "succeeded"


def test_failed_authentication_wants_another_card(client: stripe.StripeClient, sandbox: Running) -> None:
    intent = client.v1.payment_intents.create(in_browser(ALWAYS))
    sandbox.admin.authenticate(intent.id, complete=False)
    intent = client.v1.payment_intents.retrieve(intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert again.status == "succeeded"


def test_a_card_set_up_with_authentication_is_not_asked_again(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer
) -> None:
    method = set_up(client, sandbox, alice, UNTIL_SET_UP)
    assert client.v1.payment_intents.create(off_session(alice, method)).status == "succeeded"


def test_a_card_merely_attached_is_asked(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(off_session(alice, saved(client, alice, UNTIL_SET_UP)))
    assert refused.value.code == "authentication_required"


def test_the_strictest_card_is_asked_even_when_set_up(
    client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer
) -> None:
    method = set_up(client, sandbox, alice, ALWAYS)
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(off_session(alice, method))
    assert refused.value.code == "authentication_required"


def test_authenticated_and_still_without_funds(client: stripe.StripeClient, sandbox: Running) -> None:
    intent = client.v1.payment_intents.create(
        in_browser("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    )
    assert intent.status == "requires_action"
    sandbox.admin.authenticate(intent.id)
    intent = client.v1.payment_intents.retrieve(intent.id)
    assert intent.last_payment_error is not None
    assert (intent.status, intent.last_payment_error.decline_code) == ("requires_payment_method", "insufficient_funds")


def test_error_on_requires_action_declines_instead_of_asking(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_intents.create(in_browser(ALWAYS, error_on_requires_action=True))
    assert refused.value.code == "authentication_required"


def test_a_saved_card_needs_its_customer(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    method = saved(client, alice)
    bob = client.v1.customers.create({"email": "bob@example.com"})
    for asked in (in_browser(method), in_browser(method, customer=bob.id)):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.payment_intents.create(asked)
    assert client.v1.payment_intents.create(in_browser(method, customer=alice.id)).status == "succeeded"


def test_a_card_used_once_without_a_customer_is_used_up(client: stripe.StripeClient) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    client.v1.payment_intents.create(in_browser(method.id))
    with pytest.raises(stripe.InvalidRequestError, match="previously used"):
        client.v1.payment_intents.create(in_browser(method.id))


def test_a_detached_card_is_used_up(client: stripe.StripeClient, sandbox: Running, alice: stripe.Customer) -> None:
    method = saved(client, alice)
    sandbox.admin.detach(method)
    assert client.v1.payment_methods.retrieve(method).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="detached from a Customer"):
        client.v1.payment_intents.create(off_session(alice, method))


def test_without_return_url_a_redirect_could_not_come_back(client: stripe.StripeClient) -> None:
    asked: Any = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.create(asked)
    assert client.v1.payment_intents.list().data == []
    asked["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
    assert client.v1.payment_intents.create(asked).status == "succeeded"


@pytest.mark.parametrize(("amount", "code"), [(49, "amount_too_small"), (100_000_000, "amount_too_large")])
def test_amounts_have_bounds(client: stripe.StripeClient, amount: int, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create({"amount": amount, "currency": "usd"})
    assert (refused.value.code, refused.value.param) == (code, "amount")


def test_cancelled_once_and_for_all(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    done = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (done.status, done.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_paid_cannot_be_cancelled_nor_paid_again(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(in_browser())
    for act in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            act(intent.id)
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error is not None
        assert refused.value.error.payment_intent is not None
        assert refused.value.error.payment_intent.status == "succeeded"


def test_metadata_and_the_client_secret(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd", "metadata": {"intent": "7", "x": "y"}})
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")
    intent = client.v1.payment_intents.update(intent.id, {"metadata": {"x": "", "z": "1"}})
    assert intent.metadata.to_dict() == {"intent": "7", "z": "1"}


def test_a_declined_setup_saves_nothing(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    asked: Any = {"customer": alice.id, "payment_method": "pm_card_chargeDeclined", "confirm": True}
    with pytest.raises(stripe.CardError) as refused:
        client.v1.setup_intents.create(asked)
    assert refused.value.error is not None
    assert refused.value.error.setup_intent is not None
    assert refused.value.error.setup_intent.status == "requires_payment_method"
    assert client.v1.payment_methods.list({"customer": alice.id, "type": "card"}).data == []


def test_a_deleted_customer_is_gone(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    method = saved(client, alice)
    client.v1.customers.delete(alice.id)
    assert client.v1.customers.retrieve(alice.id).deleted is True
    assert client.v1.payment_methods.retrieve(method).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.payment_intents.create(off_session(alice, method))

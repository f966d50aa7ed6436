"""The hosted page as a browser without script meets it: plain HTTP, forms and redirects."""

import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
import stripe

from sandbox.stripe import Running
from tests.sandbox.stripe.conftest import LINE, PAGES, a_session, a_setup, in_browser

CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "Alice"}


@dataclass
class Page:
    status: int
    text: str
    headers: dict[str, str]

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.text))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def visit(url: str, form: dict[str, str] | None = None) -> Page:
    """One request as a browser makes it; redirects are shown, not followed."""
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with urllib.request.build_opener(_Stay).open(url, data, timeout=10) as answer:
            return Page(answer.status, answer.read().decode(), dict(answer.headers.items()))
    except urllib.error.HTTPError as error:
        return Page(error.code, error.read().decode(), dict(error.headers.items()))


@pytest.fixture
def session(client: stripe.StripeClient) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(a_session())


def address(session: stripe.checkout.Session) -> str:
    assert session.url is not None
    return session.url


def test_paying(client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
    page = visit(address(session))
    assert "Sandbox: no money moves" in page.words
    assert "Pay $100.00" in page.words
    assert '<button type="submit">Pay $100.00</button>' in page.text
    paid = visit(address(session), CARD)
    assert (paid.status, paid.location) == (303, f"http://127.0.0.1:8000/done?session={session.id}")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.payment_status == "paid"
    assert done.customer_details is not None
    assert done.customer_details.name == "Alice"


def test_pressing_twice_pays_once(sandbox: Running, session: stripe.checkout.Session) -> None:
    first, second = visit(address(session), CARD), visit(address(session), CARD)
    assert first.location == second.location
    assert sandbox.admin.books()["totals"]["charged"] == 10_000


def test_amounts_are_exact(client: stripe.StripeClient) -> None:
    odd: Any = {"quantity": 3, "price_data": {**LINE["price_data"], "unit_amount": 123_457}}  # type: ignore[dict-item]
    session = client.v1.checkout.sessions.create(a_session(line_items=[odd]))
    page = visit(address(session))
    assert "Pay $3,703.71" in page.words
    assert "3 x $1,234.57" in page.words


def test_a_decline_is_said_and_another_card_may_try(session: stripe.checkout.Session) -> None:
    page = visit(address(session), {**CARD, "number": "4000000000009995"})
    assert page.status == 200
    assert "Your card has insufficient funds. Nothing was charged." in page.words
    assert 'value="4000000000009995"' in page.text
    assert visit(address(session), CARD).status == 303


@pytest.mark.parametrize(
    ("wrong", "words", "field"),
    [
        ({"number": "4242424242424241"}, "Your card number is incorrect.", "number"),
        ({"expiry": "soon"}, "Give the expiry as month and year", "expiry"),
        ({"expiry": "13/40"}, "expiration month is invalid", "expiry"),
        ({"expiry": "12/2020"}, "expiration year is invalid", "expiry"),
        ({"cvc": "12"}, "security code is invalid", "cvc"),
    ],
)
def test_mistakes_are_shown_at_their_field(
    session: stripe.checkout.Session, wrong: dict[str, str], words: str, field: str
) -> None:
    page = visit(address(session), {**CARD, **wrong})
    assert words in page.words
    assert re.search(rf'<input id="{field}"[^>]*aria-invalid="true"', page.text)


@pytest.mark.parametrize(("answer", "where"), [("complete", "http://127.0.0.1:8000/done?session={}"), ("fail", None)])
def test_three_d_secure(
    client: stripe.StripeClient, session: stripe.checkout.Session, answer: str, where: str | None
) -> None:
    asked = visit(address(session), {**CARD, "number": "4000002500003155"})
    assert (asked.status, asked.location) == (303, address(session) + "/authenticate")
    page = visit(str(asked.location))
    assert "Complete authentication" in page.words
    assert "Fail authentication" in page.words
    assert "$100.00" in page.words
    answered = visit(str(asked.location), {"answer": answer})
    if where:
        assert (answered.status, answered.location) == (303, where.format(session.id))
    else:
        assert "unable to authenticate" in answered.words
        assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
        assert visit(address(session), CARD).status == 303


def test_saving_a_card(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    session = client.v1.checkout.sessions.create(a_setup(alice))
    page = visit(address(session))
    assert '<button type="submit">Save card</button>' in page.text
    assert "Nothing is charged now." in page.words
    assert visit(address(session), CARD).status == 303
    assert len(client.v1.customers.payment_methods.list(alice.id).data) == 1


def test_the_box_is_there_only_when_offered(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    offered: Any = {"customer": alice.id, "saved_payment_method_options": {"payment_method_save": "enabled"}}
    with_box, without = (
        client.v1.checkout.sessions.create(a_session(**more)) for more in (offered, {"customer": alice.id})
    )
    assert 'name="save"' in visit(address(with_box)).text
    assert 'name="save"' not in visit(address(without)).text
    visit(address(with_box), {**CARD, "save": "yes"})
    assert len(client.v1.customers.payment_methods.list(alice.id).data) == 1


def test_a_click_on_a_test_card_fills_the_form(session: stripe.checkout.Session) -> None:
    page = visit(address(session))
    links = re.findall(r'href="(/c/pay/[^"]+\?card=\d+)"', page.text)
    assert len(links) >= 8
    filled = visit(urllib.parse.urljoin(address(session), links[1]))
    values = dict(re.findall(r'<input id="(\w+)" name="\w+" value="([^"]*)"', filled.text))
    assert values["number"] == "4000002500003155"
    assert visit(address(session), values).status == 303


def test_there_is_a_way_back(session: stripe.checkout.Session) -> None:
    assert '<a class="back" href="http://127.0.0.1:8000/back">Back</a>' in visit(address(session)).text


def test_an_expired_page_says_so(client: stripe.StripeClient, session: stripe.checkout.Session) -> None:
    client.v1.checkout.sessions.expire(session.id)
    for page in (visit(address(session)), visit(address(session), CARD)):
        assert page.status == 410
        assert "Nothing was charged" in page.words
        assert PAGES["cancel_url"] in page.text


def test_a_page_that_is_paid_says_so(session: stripe.checkout.Session) -> None:
    visit(address(session), CARD)
    assert "You need not pay again." in visit(address(session)).words


def test_what_the_merchant_says_is_text(client: stripe.StripeClient) -> None:
    evil: Any = {"quantity": 1, "price_data": {**LINE["price_data"], "product_data": {"name": "<script>1</script>"}}}  # type: ignore[dict-item]
    told: Any = {"custom_text": {"submit": {"message": "Small <b>balances</b> may be charged at month end."}}}
    page = visit(address(client.v1.checkout.sessions.create(a_session(line_items=[evil], **told))))
    assert "<script>" not in page.text
    assert "Small &lt;b&gt;balances&lt;/b&gt; may be charged" in page.text


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.inputs: set[str] = set()
        self.headings = 0
        self.scripted: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        self.scripted += [name for name in known if name.startswith("on") or name == "style"]
        self.scripted += [tag] if tag in ("script", "style") else []
        self.headings += tag == "h1"
        if tag == "label":
            self.labels.add(str(known["for"]))
        if tag == "input":
            self.inputs.add(str(known["id"]))


def test_every_field_has_a_label_and_nothing_is_inline(client: stripe.StripeClient, alice: stripe.Customer) -> None:
    offered: Any = {"customer": alice.id, "saved_payment_method_options": {"payment_method_save": "enabled"}}
    page = visit(address(client.v1.checkout.sessions.create(a_session(**offered))))
    form = _Form()
    form.feed(page.text)
    assert form.inputs == form.labels == {"number", "expiry", "cvc", "name", "save"}
    assert (form.headings, form.scripted) == (1, [])
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8000;" in policy
    assert "unsafe" not in policy


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_pair_of_colours_can_be_read(sandbox: Running) -> None:
    css = visit(f"{sandbox.base_url}/c/checkout.css").text
    themes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]+)\}", css)]
    assert len(themes) == 2
    pairs = [("ink", "page"), ("muted", "page"), ("accent", "page"), ("on-accent", "accent"),
             ("warning", "warning-tint"), ("error", "error-tint")]  # fmt: skip
    for theme in themes:
        for text, ground in pairs:
            light, dark = sorted((luminance(theme[text]), luminance(theme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_an_intent_confirmed_elsewhere_comes_back_to_its_return_url(client: stripe.StripeClient) -> None:
    asked = in_browser("pm_card_authenticationRequired", return_url="http://127.0.0.1:8000/back?a=b")
    intent = client.v1.payment_intents.create(asked)
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page = str(intent.next_action.redirect_to_url.url)
    assert "Complete authentication" in visit(page).words
    came_back = urllib.parse.urlsplit(str(visit(page, {"answer": "complete"}).location))
    query = dict(urllib.parse.parse_qsl(came_back.query))
    assert query == {
        "a": "b",
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": "succeeded",
    }


@pytest.mark.parametrize("path", ["/", "/c/pay/cs_test_unknown", "/c/nothing", "/favicon.ico"])
def test_elsewhere_is_nothing(sandbox: Running, path: str) -> None:
    assert visit(sandbox.base_url + path).status == 404


def test_a_charge_has_a_receipt(client: stripe.StripeClient) -> None:
    charge = client.v1.charges.list({"payment_intent": client.v1.payment_intents.create(in_browser()).id}).data[0]
    assert "$50.00 from Visa ending 4242." in visit(str(charge.receipt_url)).words

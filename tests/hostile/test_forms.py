"""Hostile input at every form: no 5xx, and what is stored is what was sent, by the strict rule of `stored.py`.

Each form gets at least 150 bodies (in `make test` every 31st of them, at each form others), each from the same beginning.
A form that is in the URL conf and not here fails the suite.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import flows
from billing.contracts.models import Contract
from billing.payments import polling
from billing.payments.models import PaymentMethod
from orgs.models import Role, User
from tests import figures as counted
from tests.architecture import routes
from tests.architecture import world as worlds
from tests.architecture.world import ANONYMOUS, STAFF, WRITES, World, undone
from tests.factories import adding_cards
from tests.factories.orgs import PASSWORD
from tests.factories.paying import PAYS, begin
from tests.faults import orders
from tests.hostile import stored, texts
from tests.hostile.stored import Rows, Rule
from tests.hostile.texts import Input

pytestmark = [pytest.mark.money, pytest.mark.django_db]

EVERY = 47
NEW = "another good password 7"
ANY: tuple[str, ...] = ("note",)
"""For forms that take nothing: what they ought to pass over."""


def expects_nothing(says: dict[str, str], gone: Rows, new: Rows) -> bool:
    return False


@dataclass(frozen=True)
class Form:
    """`good` is what it takes; `hostile` are the fields that are tried; `rule` judges what was stored."""

    name: str
    rule: Rule = expects_nothing
    good: dict[str, str] = field(default_factory=dict)
    hostile: tuple[str, ...] = ANY
    who: str = Role.OWNER
    address: str = ""

    def __str__(self) -> str:
        return self.name

    def inputs(self) -> list[Input]:
        return list(texts.inputs(self.good, self.hostile))

    def enough(self) -> list[Input]:
        """All of them, or 200 to 400 spread evenly over the many of a form with many fields."""
        inputs = self.inputs()
        return inputs[:: max(1, len(inputs) // 200)]


ONCE = "0123456789abcdef"
NONCE = "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"
BUY = {"preset": "", "other": "100.50", "seen": "10050", "version": "0:0", "nonce": NONCE}
CARD = 424242
RECHARGE = {
    "threshold": "10.00", "recharge_to": "50.00", "cap": "200.00", "per_day": "5", "card": str(CARD), "consent": "yes",
    "seen": f"1000:5000:20000:5:{CARD}:0", "version": "0",
}  # fmt: skip
ACT = {"amount": "7.25", "reason": "Asked for it.", "nonce": NONCE, "confirmed": "yes"}
ALERTS = {"billing_email": "bills@example.com", "thresholds": "20.00", "expiring": "on"}
SOON = (datetime.now(UTC) + timedelta(days=30)).date()
FORMS = (
    Form("billing:buy", stored.bought, BUY, ("other", "preset", "seen", "version", "nonce")),
    Form("billing:details", stored.detailed, routes.DETAILS, ("legal_name", "address", "country", "tax_id")),
    Form("billing:purchase_check"),
    Form("billing:purchase_cancel", stored.canceled),
    Form("billing:alert_settings", stored.alerts_kept, ALERTS, ("billing_email", "thresholds", "expiring")),
    Form("billing:billing_email_again"),
    Form("billing:card_add", stored.card_begun, {"nonce": NONCE}, ("nonce",)),
    Form("billing:card_setup_check"),
    Form("billing:card_setup_cancel"),
    Form("billing:card_default", stored.card_chosen),
    Form("billing:card_remove", stored.card_removed),
    Form("billing:recharge_save", stored.recharge_agreed, RECHARGE, tuple(RECHARGE)),
    Form("billing:recharge_off"),
    Form("billing:contract_accept", good={"name": "Alice Archer", "seen": "0" * 64}, hostile=("name", "seen")),
    Form("billing:contract_limit", good={"limit": "20.00"}, hostile=("limit",)),
    Form("billing:contract_pay"),
    Form("billing:plan_quote", stored.plan_quoted, {"plan": "code-max"}, ("plan",)),
    Form("billing:plan_agree", stored.plan_agreed, {"card": "page"}, ("card",)),
    Form("billing:plan_payment_check"),
    Form("billing:plan_payment_cancel"),
    Form("billing:plan_change", good={"to": "code-pro", "seen": "active:1:5000"}, hostile=("to", "seen")),
    Form("billing:plan_cancel", stored.plan_canceled, {"seen": "active:1:0"}, ("seen",)),
    Form("billing:plan_undo", good={"change": "1", "back": "billing"}, hostile=("change", "back")),
    Form("billing:plan_pay"),
    Form("billing:plan_card", stored.plan_card_chosen, {"card": str(CARD)}, ("card",)),
    Form(
        "orgs:new_key", stored.key_made, {"name": "ci", "expires_on": "", "once": ONCE}, ("name", "expires_on", "once")
    ),
    Form("orgs:revoke_key", stored.key_revoked),
    Form("orgs:rename", stored.renamed, {"name": "Acme Laboratories"}, ("name",)),
    Form("orgs:new_team", stored.founded, {"name": "Skunkworks"}, ("name",)),
    Form("orgs:change_role", stored.role_changed, {"role": "viewer"}, ("role",)),
    Form("orgs:remove_member", stored.member_gone),
    Form("orgs:leave", stored.member_gone, who=Role.DEVELOPER),
    Form("orgs:account", stored.person_renamed, {"name": "Alice"}, ("name",)),
    Form("home"),
    Form("theme", good={"theme": "dark", "next": "/account"}, hostile=("theme", "next")),
    Form(
        "account_login",
        good={"login": "x@example.com", "password": PASSWORD},
        hostile=("login", "password"),
        who=ANONYMOUS,
    ),
    Form("account_logout", good={"next": "/"}, hostile=("next",)),
    Form(
        "account_signup",
        stored.signed_up,
        {"email": "new@example.com", "password1": PASSWORD},
        ("email", "password1"),
        ANONYMOUS,
    ),
    Form("account_reauthenticate", good={"password": PASSWORD}, hostile=("password",)),
    Form("account_email", good={"email": "more@example.com", "action_add": "1"}, hostile=("email",)),
    Form(
        "account_change_password",
        stored.password_changed,
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
        ("oldpassword", "password1", "password2"),
    ),
    Form("account_set_password", good={"password1": NEW, "password2": NEW}, hostile=("password1",)),
    Form("account_reset_password", good={"email": "alice@example.com"}, hostile=("email",), who=ANONYMOUS),
    Form("account_reset_password_from_key", good={"password1": NEW}, hostile=("password1",), who=ANONYMOUS),
    Form("account_confirm_login_code", good={"code": "123456"}, hostile=("code",), who=ANONYMOUS),
    Form("admin:login", good={"username": "x@example.com", "password": "no"}, hostile=("username",), who=ANONYMOUS),
    Form("admin:billing_intent_refund", stored.refunded, ACT, ("amount", "reason", "nonce", "confirmed"), STAFF),
    Form(
        "admin:billing_wallet_give",
        stored.given,
        {**ACT, "title": "Welcome", "last_day": f"{SOON:%Y-%m-%d}"},
        ("amount", "reason", "nonce", "title", "last_day", "confirmed"),
        STAFF,
    ),
    Form("admin:billing_wallet_forgive", good=ACT, hostile=("amount", "reason", "nonce"), who=STAFF),
    Form("admin:billing_wallet_let_go", good=ACT, hostile=("amount", "reason", "nonce"), who=STAFF),
    Form("admin:billing_wallet_ceiling", stored.ceiling_set, ACT, ("amount", "reason", "nonce", "confirmed"), STAFF),
    Form("admin:billing_contract_offer", good=ACT, hostile=("reason", "nonce"), who=STAFF),
    Form(
        "admin:billing_contract_withdraw",
        stored.contract_withdrawn,
        {"reason": "A mistake.", "confirmed": "yes"},
        ("reason", "confirmed"),
        STAFF,
    ),
    Form("admin:billing_contract_end", good=ACT, hostile=("reason", "nonce"), who=STAFF),
)


@pytest.fixture
def world(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of the route tests, with a purchase that can be refunded and one that waits to be paid."""
    settings.RATES = dict.fromkeys(settings.RATES, "1000000/d")
    settings.ACCOUNT_RATE_LIMITS = False
    logging.disable(logging.CRITICAL)
    with orders.in_process(settings, monkeypatch) as sandbox:
        world = worlds.made()
        alice = User.objects.get(email="alice@example.com")
        paid, waiting = begin(world.acme, alice, 50_00), begin(world.acme, alice, 50_00)
        sandbox.admin.pay(paid.checkout_id or "", PAYS)
        now = datetime.now(UTC)
        flows.payment_outcome(paid.pk, polling.ask(paid.pk, now=now), now=now)
        world.own |= {"intent_id": str(waiting.pk), "paid": str(paid.pk)}
        world.own["contract"] = str(Contract.objects.get(public_id=world.own["contract_id"]).pk)
        adding_cards.card(world.acme, "5555", id=CARD)
        world.own["card_id"] = str(PaymentMethod.objects.get(wallet_id=world.acme.pk, last4="5555").pk)
        yield world
    logging.disable(logging.NOTSET)


def address_of(world: World, form: Form) -> str:
    acts = {
        "admin:billing_intent_refund": f"/admin/billing/intent/{world.own['paid']}/refund/",
        "admin:billing_wallet_give": f"/admin/billing/wallet/{world.acme.pk}/give/",
        "admin:billing_wallet_forgive": f"/admin/billing/wallet/{world.acme.pk}/forgive/",
        "admin:billing_wallet_let_go": f"/admin/billing/wallet/{world.acme.pk}/let_go/",
        "admin:billing_wallet_ceiling": f"/admin/billing/wallet/{world.acme.pk}/ceiling/",
        "admin:login": "/admin/login/",
        **{
            f"admin:billing_contract_{act}": f"/admin/billing/contract/{world.own['contract']}/{act}/"
            for act in ("offer", "withdraw", "end")
        },
    }
    if form.name in acts:
        return acts[form.name]
    (row,) = [row for row in (*routes.PAGES, *routes.OWN) if row.name == form.name]
    return world.address(row)


def answered(world: World, form: Form, given: Input, before: Rows) -> str:
    """What is wrong with the answer; empty when nothing is."""
    with undone():
        browser = world.browser(form.who)
        with CaptureQueriesContext(connection) as queries:
            answer = browser.generic("POST", address_of(world, form), given.body, content_type=given.kind)
        wrote = any(WRITES.match(query["sql"]) for query in queries)
        gone, new = stored.moved(before, stored.rows()) if wrote else ({}, {})
    if answer.status_code >= 500:
        return f"{answer.status_code}"
    if not gone and not new:
        return ""
    if given.says is None:
        # A body that two readers may read differently has stored something: only what no body says may have happened.
        return "" if form.hostile == ANY else f"coerced: {new}"
    return "" if form.rule(given.says, gone, new) else f"coerced: {new}"


GROUPS = {
    "money": [form for form in FORMS if form.name.startswith("billing:")],
    "keys and organizations": [form for form in FORMS if form.name.startswith(("orgs:", "home", "theme"))],
    "people": [form for form in FORMS if form.name.startswith("account_")],
    "staff": [form for form in FORMS if form.name.startswith("admin:")],
}
"""Making a world takes longer than a hundred requests."""


@pytest.mark.parametrize("group", GROUPS)
def test_hostile_input_at_forms(world: World, group: str, figures: counted.Record) -> None:
    before, number = stored.rows(), 0
    wrong: dict[str, str] = {}
    for form in GROUPS[group]:
        what_a_form_is_for_is_stored_as_sent(world, form, before)
        chosen = form.enough() if counted.FULL else form.inputs()[FORMS.index(form) % EVERY :: EVERY]
        number += len(chosen)
        found = {f"{form}, {given.name}": answered(world, form, given, before) for given in chosen}
        wrong |= {name: what for name, what in found.items() if what}
    assert wrong == {}
    figures("hostile", inputs=number, server_errors=0, coerced=0)


def what_a_form_is_for_is_stored_as_sent(world: World, form: Form, before: Rows) -> None:
    """The control: the rule accepts the good form, finds what was altered on the way, and something is stored at all."""
    if form.rule is expects_nothing:
        return
    with undone():
        world.browser(form.who).post(address_of(world, form), form.good)
        gone, new = stored.moved(before, stored.rows())
    assert form.rule(form.good, gone, new), (form.name, new)
    for name in set(form.good) & TOLD:
        assert not form.rule({**form.good, name: form.good[name] + "1"}, gone, new), (form.name, name)


TOLD = {
    "name",
    "plan",
    "role",
    "email",
    "password1",
    "password2",
    "other",
    "amount",
    "reason",
    "last_day",
    "seen",
    "billing_email",
    "thresholds",
    "threshold",
    "recharge_to",
    "cap",
}
"""Fields of which every letter is stored."""


def test_every_form_is_here() -> None:
    posting = {row.name for row in (*routes.PAGES, *routes.OWN) if row.post not in (routes.REFUSED, 404)}
    acts = {f"admin:{name}" for name in routes.STAFF_ACTS}
    assert posting | acts | {"admin:login"} == {form.name for form in FORMS}
    assert {form.name: len(form.enough()) for form in FORMS if len(form.enough()) < 150} == {}

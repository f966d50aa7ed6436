"""Every address of the portal, who may come in and what they get: the table that `test_routes.py` holds the portal to.

An address that is in the URL conf and not here fails the suite: add its line, and the suite asks everybody for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLResolver, get_resolver

from orgs import throttle
from orgs.access import MANAGE_KEYS, MANAGE_MEMBERS, MOVE_MONEY, READ, Permission
from orgs.access import OWN as OWN_IT

REFUSED = 405
"""What a method gets that an address does not take."""


@dataclass(frozen=True)
class Page:
    """A page of an organization. `get` and `post`: what who has the permission gets; `sends` is what a POST carries.

    `object` is the part of the address that names something of the organization's: with the name of another
    organization's, it is a 404 for whoever has the permission.
    """

    name: str
    permission: Permission
    get: int = REFUSED
    post: int = REFUSED
    sends: dict[str, str] = field(default_factory=dict)
    object: str = ""
    throttle: str = ""


DETAILS = {
    "legal_name": "Acme Research GmbH",
    "address": "Lindenstraße 14\n10969 Berlin",
    "country": "DE",
    "tax_id": "",
}
PAGES = (
    Page("billing:overview", READ, get=200),
    Page("billing:usage", READ, get=200),
    Page("billing:plan", READ, get=200),
    Page("billing:plan_quote", MOVE_MONEY, post=302, sends={"plan": "code-max"}, throttle=throttle.CHECKOUT),
    Page("billing:plan_agree", MOVE_MONEY, get=200, post=200, object="quote_id", throttle=throttle.CHECKOUT),
    Page("billing:plan_payment", MOVE_MONEY, get=200, object="payment_id"),
    Page("billing:plan_payment_check", MOVE_MONEY, post=302, object="payment_id"),
    Page("billing:plan_payment_cancel", MOVE_MONEY, post=302, object="payment_id"),
    Page("billing:plan_change", MOVE_MONEY, get=200, post=200, object="subscription_id"),
    Page("billing:plan_cancel", MOVE_MONEY, get=200, post=200, object="subscription_id"),
    Page("billing:plan_undo", MOVE_MONEY, post=302, object="subscription_id"),
    Page("billing:plan_pay", MOVE_MONEY, post=302, object="subscription_id", throttle=throttle.CHECKOUT),
    Page("billing:plan_card", MOVE_MONEY, post=302, object="subscription_id"),
    Page("billing:what_if", READ, get=200),
    Page("billing:billing", READ, get=200),
    Page("billing:why", READ, get=200, object="line"),
    Page("billing:limits", READ, get=200),
    Page("billing:buy", MOVE_MONEY, get=200, post=200, throttle=throttle.CHECKOUT),
    Page("billing:purchase", MOVE_MONEY, get=200, object="intent_id"),
    Page("billing:purchase_check", MOVE_MONEY, post=302, object="intent_id"),
    Page("billing:purchase_cancel", MOVE_MONEY, post=302, object="intent_id"),
    Page("billing:details", MOVE_MONEY, get=200, post=302, sends=DETAILS),
    Page("billing:timeline", READ, get=200),
    Page("billing:timeline_calendar", READ, get=200),
    Page("billing:statements", READ, get=200),
    Page("billing:statement", READ, get=200, object="number"),
    Page("billing:statement_pdf", READ, get=200, object="number"),
    Page("billing:statement_csv", READ, get=200, object="number"),
    Page("billing:statement_json", READ, get=200, object="number"),
    Page("billing:statement_verifier", READ, get=200),
    Page("billing:receipt", READ, get=200, object="intent_id"),
    Page("billing:receipt_pdf", READ, get=200, object="intent_id"),
    Page("billing:expiry_calendar", READ, get=200),
    Page("billing:alerts", READ, get=200),
    Page("billing:alert_settings", MOVE_MONEY, post=302, sends={"billing_email": "", "thresholds": "20.00"}),
    Page("billing:billing_email_again", MOVE_MONEY, post=302),
    Page("billing:cards", READ, get=200),
    Page("billing:card_add", MOVE_MONEY, post=302, throttle=throttle.CHECKOUT),
    Page("billing:card_setup", MOVE_MONEY, get=200, object="setup_id"),
    Page("billing:card_setup_check", MOVE_MONEY, post=302, object="setup_id"),
    Page("billing:card_setup_cancel", MOVE_MONEY, post=302, object="setup_id"),
    Page("billing:card_default", MOVE_MONEY, post=302, object="card_id"),
    Page("billing:card_remove", MOVE_MONEY, get=200, post=302, object="card_id"),
    Page("billing:recharge", READ, get=200),
    Page("billing:recharge_save", MOVE_MONEY, post=200, throttle=throttle.CHECKOUT),
    Page("billing:recharge_off", MOVE_MONEY, post=302),
    Page("billing:contract", MOVE_MONEY, get=200, object="contract_id"),
    Page(
        "billing:contract_accept",
        OWN_IT,
        post=200,
        sends={"name": "Alice Archer"},
        object="contract_id",
        throttle=throttle.CHECKOUT,
    ),
    Page("billing:contract_limit", OWN_IT, post=200, sends={"limit": "20.00"}, object="contract_id"),
    Page("billing:contract_pay", MOVE_MONEY, post=302, object="contract_id", throttle=throttle.CHECKOUT),
    Page("orgs:more", READ, get=200),
    Page("orgs:settings", READ, get=200),
    Page("orgs:rename", MANAGE_MEMBERS, post=302, sends={"name": "Acme Laboratories"}),
    Page("orgs:members", READ, get=200),
    Page("orgs:change_role", MANAGE_MEMBERS, post=302, sends={"role": "viewer"}, object="pk"),
    Page("orgs:remove_member", MANAGE_MEMBERS, get=200, post=302, object="pk"),
    Page("orgs:leave", READ, get=200, post=302),
    Page("orgs:keys", READ, get=200),
    Page(
        "orgs:new_key",
        MANAGE_KEYS,
        get=200,
        post=200,
        sends={"name": "notebooks", "once": "0123456789abcdef"},
        throttle=throttle.NEW_KEY,
    ),
    Page("orgs:revoke_key", MANAGE_KEYS, get=200, post=302, object="public_id"),
)


@dataclass(frozen=True)
class Own:
    """A page of the person, or one for everybody: what it answers when nobody is signed in, and when somebody is."""

    name: str
    anonymous_get: int
    anonymous_post: int
    get: int
    post: int
    kwargs: dict[str, str] = field(default_factory=dict)
    sends: dict[str, str] = field(default_factory=dict)
    throttle: str = ""
    needs_token: bool = True
    """Whether its POST asks for the form's token. Where POST is refused anyway, either answer will do."""


NO_KEY = {"uidb36": "1", "key": "no-such-key"}
OWN = (
    Own("home", 302, 302, 302, 302),
    Own("orgs:account", 302, 302, 200, 302, sends={"name": "Alice"}),
    Own("orgs:new_team", 302, 302, 200, 302, sends={"name": "Skunkworks"}, throttle=throttle.NEW_TEAM),
    Own("billing:api_docs", 200, 405, 200, 405),
    Own("billing:cancellation_policy", 200, 405, 200, 405),
    Own("billing:cancellation_policy_version", 200, 405, 200, 405, kwargs={"number": "1"}),
    Own("billing:recharge_stop", 404, 404, 404, 404, kwargs={"token": "not-ours"}),
    Own("billing:recharge_finish", 404, 404, 404, 404, kwargs={"token": "not-ours"}),
    Own("billing:billing_email", 404, 404, 404, 404, kwargs={"token": "not-ours"}),
    Own("billing:recharge_paid", 404, 405, 404, 405, kwargs={"intent_id": "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"}),
    Own("brand", 200, 405, 200, 405),
    Own("theme", 405, 302, 405, 302, sends={"theme": "dark"}),
    Own("gallery", 404, 405, 404, 405),
    Own("health-live", 200, 405, 200, 405),
    Own("health-ready", 200, 405, 200, 405),
    Own("account_login", 200, 200, 302, 302),
    Own("account_logout", 302, 302, 200, 302),
    Own("account_inactive", 200, 405, 200, 405),
    Own("account_signup", 200, 200, 302, 302),
    Own("account_reauthenticate", 302, 302, 200, 200),
    Own("account_email", 302, 302, 200, 302),
    Own("account_email_verification_sent", 200, 405, 200, 405),
    Own("account_change_password", 302, 302, 200, 200),
    Own("account_set_password", 302, 302, 302, 302),
    Own("account_reset_password", 200, 200, 200, 200),
    Own("account_reset_password_done", 200, 405, 200, 405),
    Own("account_reset_password_from_key", 200, 200, 200, 200, kwargs=NO_KEY),
    Own("account_reset_password_from_key_done", 200, 405, 200, 405),
    Own("account_confirm_email", 200, 404, 200, 404, kwargs={"key": "no-such-key"}),
    Own("account_confirm_login_code", 302, 302, 302, 302),
)


# --- Doors for machines -----------------------------------------------------------------------------------------------

NOTHING, NONSENSE, GATEWAY, REVOKED_GATEWAY, KEY, REVOKED_KEY, SESSION = (
    "nothing",
    "nonsense",
    "gateway",
    "revoked gateway",
    "key",
    "revoked key",
    "session",
)
TOKENS = (NOTHING, NONSENSE, GATEWAY, REVOKED_GATEWAY, KEY, REVOKED_KEY, SESSION)


@dataclass(frozen=True)
class Door:
    """A JSON door: its one method, whose token opens it and what that gets; every other token gets a 401."""

    name: str
    method: str
    takes: str | None
    answers: int
    sends: dict[str, Any] | None = None
    query: str = ""


NO_EVENT = {"id": "0196340d-0c55-7d11-8e2f-1a2b3c4d5e6f", "event_id": "0196340c-8b1e-7c3a-9f00-5a1b2c3d4e5f"}
DOORS = (
    Door("billing:api_usage", "POST", GATEWAY, 200, sends={"events": []}),
    Door("billing:api_usage_reversals", "POST", GATEWAY, 404, sends={**NO_EVENT, "reason": "test"}),
    Door("billing:api_limits_resolve", "POST", GATEWAY, 200, sends={"key_sha256": "{fingerprint}"}),
    Door("billing:api_limits", "GET", GATEWAY, 200, query="?key={public_id}"),
    Door("billing:api_limits_changes", "GET", GATEWAY, 200),
    Door("billing:api_limits_me", "GET", KEY, 200),
    Door("billing:api_openapi", "GET", None, 200),
)
WEBHOOKS = ("billing:stripe_webhook",)
"""They take POST with the provider's signature (tests/billing/webhooks)."""


# --- The staff's site -------------------------------------------------------------------------------------------------

STAFF_PAGES = {
    "admin:index": 200,
    "admin:password_change": 200,
    "admin:password_change_done": 200,
    "admin:autocomplete": 403,
    "admin:jsi18n": 200,
    "admin:app_list": 200,
    "admin:view_on_site": 404,
    "admin:billing_reconciliation_run": REFUSED,  # a POST asks the queue
    "admin:billing_settlement_again": REFUSED,  # too
    "admin:billing_contract_draft": 200,
}
"""What staff with every right get by GET; nobody else gets in."""
STAFF_DOORS = ("admin:login", "admin:logout")
STAFF_KINDS = ("changelist", "add", "history", "delete", "change")
"""The pages Django makes for every table shown there: `admin:<app>_<table>_<kind>`."""
STAFF_ACTS = (
    "billing_intent_refund", "billing_wallet_give", "billing_wallet_forgive", "billing_wallet_ceiling",
    "billing_wallet_let_go",
    "billing_contract_offer", "billing_contract_withdraw", "billing_contract_end",
)  # fmt: skip
"""What staff can do with one row: a page to ask and to confirm, `admin:<app>_<table>_<act>`."""
STAFF_CATCH_ALLS = ("(?P<url>.*)$", "<path:object_id>/")
"""Unnamed: a 404 or a redirect to a page named above."""


# --- What there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Route:
    """One line of the URL conf: its whole pattern, its name with the name space, the view."""

    pattern: str
    name: str
    view: Any


def there_are(resolver: URLResolver | None = None, before: str = "", space: str = "") -> Iterator[Route]:
    """Every address the portal answers, from the resolver itself."""
    for pattern in (resolver or get_resolver()).url_patterns:
        whole = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from there_are(pattern, whole, space + (f"{pattern.namespace}:" if pattern.namespace else ""))
        else:
            yield Route(whole, f"{space}{pattern.name}" if pattern.name else "", pattern.callback)


def listed() -> set[str]:
    """The names that the tables above hold."""
    tables: list[str] = [row.name for row in (*PAGES, *OWN, *DOORS)]
    return {*tables, *WEBHOOKS, *STAFF_PAGES, *STAFF_DOORS}

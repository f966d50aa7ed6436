"""The hosted pages under `/c/`: where the customer pays, saves a card and answers the bank. They work without script."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from . import cards, checkout, errors, intents, pages, setups
from .books import Obj
from .wire import Request, Response
from .world import World

EXPIRY = re.compile(r"\A\s*(\d{1,2})\s*/?\s*(\d{2}|\d{4})\s*\Z", re.ASCII)


def answer(world: World, request: Request) -> Response:
    """The response to a browser."""
    parts = request.path.strip("/").split("/")
    try:
        if request.path == "/c/checkout.css":
            return pages.stylesheet()
        if parts[:2] == ["c", "pay"] and len(parts) in (3, 4):
            session = world.find("checkout.session", parts[2])
            if parts[3:] == ["authenticate"]:
                return _bank_of_session(world, request, session)
            if len(parts) == 3:
                return _pay(world, request, session) if request.method == "POST" else _form(world, request, session)
        if parts[:2] == ["c", "authenticate"] and len(parts) == 3:
            return _bank_of_intent(world, request, parts[2])
        if parts[:2] == ["c", "receipts"] and len(parts) == 3:
            return pages.receipt(world.find("charge", parts[2]))
    except errors.ApiError as error:
        if error.code != "resource_missing":
            raise
    return pages.notice("Page not found", "There is nothing at this address.", status=404)


def _form(world: World, request: Request, session: Obj) -> Response:
    if session["status"] == "expired":
        return pages.notice(
            "This page has expired",
            "Nothing was charged. Go back and start again.",
            link=("Back", session["cancel_url"]),
            status=410,
        )
    if session["status"] == "complete":
        return pages.notice("This is done", "You need not pay again.", link=("Continue", success_url(session)))
    chosen = cards.BY_NUMBER.get(request.args().get("card", ""))
    filled = _example(world, chosen) if chosen else {}
    return pages.checkout(session, checkout.line_items(world, session["id"]), filled, None)


def _example(world: World, card: cards.TestCard) -> dict[str, str]:
    year = datetime.fromtimestamp(world.now(), UTC).year + 3
    cvc = "1234" if card.brand == "amex" else "123"
    return {"number": card.number, "expiry": f"12 / {year % 100}", "cvc": cvc, "name": "Test Customer"}


def _pay(world: World, request: Request, session: Obj) -> Response:
    given = request.form()
    if session["status"] == "complete":
        return pages.redirect(success_url(session))
    if session["status"] != "open":
        return _form(world, request, session)
    expiry = EXPIRY.match(given.get("expiry", ""))
    if expiry is None:
        result: checkout.Result = checkout.Refused("Give the expiry as month and year, for example 12 / 30.", "expiry")
    else:
        card = {
            "number": given.get("number", "").strip(),
            "exp_month": int(expiry[1]),
            "exp_year": int(expiry[2]),
            "cvc": given.get("cvc", "").strip(),
        }
        name = given.get("name", "").strip() or None
        result = checkout.pay(world, session["id"], card, save=given.get("save") == "yes", name=name)
    return _next(world, session, result, given)


def _next(world: World, session: Obj, result: checkout.Result, given: dict[str, str]) -> Response:
    if isinstance(result, checkout.Paid):
        return pages.redirect(success_url(session))
    if isinstance(result, checkout.Challenged):
        return pages.redirect(checkout.authentication_page(world, session))
    field = {"exp_month": "expiry", "exp_year": "expiry"}.get(result.field or "", result.field)
    mistake = pages.Mistake(result.message, field)
    return pages.checkout(session, checkout.line_items(world, session["id"]), given, mistake)


def success_url(session: Obj) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _bank_of_session(world: World, request: Request, session: Obj) -> Response:
    if request.method != "POST":
        if session["status"] != "open":
            return _form(world, request, session)
        return pages.bank(request.path, session["amount_total"], [session["success_url"], session["cancel_url"]])
    if session["status"] == "complete":
        return pages.redirect(success_url(session))
    result = checkout.authenticate(world, session["id"], complete=request.form().get("answer") == "complete")
    return _next(world, session, result, {})


def _bank_of_intent(world: World, request: Request, id: str) -> Response:
    """The challenge of an intent confirmed by the merchant; afterwards back to its return_url, if it has one."""
    module: Any = setups if id.startswith("seti_") else intents
    intent = world.find("setup_intent" if module is setups else "payment_intent", id)
    if intent["status"] != "requires_action":
        return pages.notice("Nothing to do", "Your bank is not waiting for an answer.")
    back = intent["next_action"].get("redirect_to_url", {}).get("return_url")
    if request.method != "POST":
        return pages.bank(request.path, intent.get("amount"), [back])
    module.authenticate(world, intent, complete=request.form().get("answer") == "complete")
    done = intent["status"] == "succeeded"
    if not back:
        return pages.notice("Authenticated" if done else "Not authenticated", "You can close this page.")
    kind = intent["object"]
    extra = {kind: id, f"{kind}_client_secret": intent["client_secret"]}
    extra["redirect_status"] = "succeeded" if done else "failed"
    return pages.redirect(back + ("&" if urlsplit(back).query else "?") + urlencode(extra))

"""The API on one page: method, address, the SDK's type of the parameters, what the sandbox models of it, and who answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from . import checkout, customers, disputes, errors, intents, lists, methods, refunds, setups
from .books import Obj
from .world import World

Answer = Callable[[World, dict[str, str], Obj], Obj]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    shape: str
    modelled: frozenset[str]
    answer: Answer
    kind: str  # of the answer: an object, or `list:` and objects


ONLY_EXPAND = frozenset({"expand"})


KINDS = {
    "customers": "customer", "payment_methods": "payment_method", "payment_intents": "payment_intent",
    "setup_intents": "setup_intent", "checkout/sessions": "checkout.session", "charges": "charge", "refunds": "refund",
    "disputes": "dispute", "balance_transactions": "balance_transaction", "events": "event", "balance": "balance",
    "customers/{customer}/payment_methods": "payment_method", "checkout/sessions/{id}/line_items": "line_item",
}  # fmt: skip


def _route(
    method: str, path: str, shape: str, modelled: Iterable[str], answer: Answer, *, listed: bool = False
) -> Route:
    pattern = re.compile("/v1/" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
    root = max((root for root in KINDS if path.startswith(root)), key=len)
    kind = f"list:{KINDS[root]}" if listed else KINDS[root]
    return Route(method, pattern, shape, frozenset(modelled), answer, kind)


def _retrieve(path: str, kind: str, shape: str) -> Route:
    def answer(world: World, ids: dict[str, str], params: Obj) -> Obj:
        return world.find(kind, ids["id"])

    return _route("GET", f"{path}/{{id}}", shape, ONLY_EXPAND, answer)


def _listing(path: str, kind: str, shape: str, filters: dict[str, str]) -> Route:
    """`filters`: parameter -> field that must equal it."""

    def answer(world: World, ids: dict[str, str], params: Obj) -> Obj:
        wanted = {field: params[name] for name, field in filters.items() if name in params}
        wanted |= {"customer": ids["customer"]} if "customer" in ids else {}
        if "customer" in ids:
            world.customer(ids["customer"])
        rows = (
            row
            for row in world.books.newest_first(kind)
            if not row.get("deleted") and all(row[field] == value for field, value in wanted.items())
        )
        if kind == "event":
            rows = (row for row in rows if _event_wanted(world, row, params))
        url = "/v1/" + path.format(**ids)
        return lists.page(rows, params, url)

    extra = {"created"} if kind != "payment_method" else set()
    extra |= {"types", "delivery_success"} if kind == "event" else set()
    return _route("GET", path, shape, {*lists.PAGING, *filters, *extra}, answer, listed=True)


def _event_wanted(world: World, event: Obj, params: Obj) -> bool:
    if "types" in params and event["type"] not in params["types"]:
        return False
    if "delivery_success" in params:
        return bool((event["pending_webhooks"] == 0) == params["delivery_success"])
    return True


def _create(path: str, shape: str, modelled: Iterable[str], make: Callable[[World, Obj], Obj]) -> Route:
    return _route("POST", path, shape, modelled, lambda world, ids, params: make(world, params))


def _act(
    path: str, shape: str, modelled: Iterable[str], act: Callable[[World, str, Obj], Any], method: str = "POST"
) -> Route:
    return _route(method, path, shape, modelled, lambda world, ids, params: act(world, ids["id"], params))


def _session_lines(world: World, ids: dict[str, str], params: Obj) -> Obj:
    lines = checkout.line_items(world, ids["id"])
    return lists.page(lines, params, f"/v1/checkout/sessions/{ids['id']}/line_items")


def _customers_method(world: World, ids: dict[str, str], params: Obj) -> Obj:
    method = world.find("payment_method", ids["id"])
    if method["customer"] != ids["customer"]:
        raise errors.no_such("PaymentMethod", ids["id"])
    return method


def _balance(world: World, ids: dict[str, str], params: Obj) -> Obj:
    net = sum(row["net"] for row in world.books.oldest_first("balance_transaction"))
    available = [{"amount": net, "currency": "usd", "source_types": {"card": net}}]
    pending = [{"amount": 0, "currency": "usd", "source_types": {"card": 0}}]
    return {"object": "balance", "available": available, "livemode": False, "pending": pending}


BY_CUSTOMER = {"customer": "customer"}
ROUTES = (
    _create("customers", "CustomerCreateParams", customers.MODELLED, customers.create),
    _listing("customers", "customer", "CustomerListParams", {"email": "email"}),
    _retrieve("customers", "customer", "CustomerRetrieveParams"),
    _act("customers/{id}", "CustomerUpdateParams", customers.MODELLED - {"payment_method"}, customers.update),
    _act("customers/{id}", "CustomerDeleteParams", (), customers.delete, "DELETE"),
    _listing("customers/{customer}/payment_methods", "payment_method", "CustomerPaymentMethodListParams",
             {"type": "type", "allow_redisplay": "allow_redisplay"}),
    _route("GET", "customers/{customer}/payment_methods/{id}", "CustomerPaymentMethodRetrieveParams", ONLY_EXPAND,
           _customers_method),
    _create("payment_methods", "PaymentMethodCreateParams", methods.MODELLED_CREATE, methods.create),
    _listing("payment_methods", "payment_method", "PaymentMethodListParams", BY_CUSTOMER | {"type": "type"}),
    _retrieve("payment_methods", "payment_method", "PaymentMethodRetrieveParams"),
    _act("payment_methods/{id}", "PaymentMethodUpdateParams", methods.MODELLED_UPDATE, methods.update),
    _act("payment_methods/{id}/attach", "PaymentMethodAttachParams", {"customer", "expand"}, methods.attach),
    _act("payment_methods/{id}/detach", "PaymentMethodDetachParams", ONLY_EXPAND, methods.detach),
    _create("payment_intents", "PaymentIntentCreateParams", intents.MODELLED_CREATE, intents.create),
    _listing("payment_intents", "payment_intent", "PaymentIntentListParams", BY_CUSTOMER),
    _retrieve("payment_intents", "payment_intent", "PaymentIntentRetrieveParams"),
    _act("payment_intents/{id}", "PaymentIntentUpdateParams", intents.MODELLED_UPDATE, intents.update),
    _act("payment_intents/{id}/confirm", "PaymentIntentConfirmParams", intents.MODELLED_CONFIRM, intents.confirm),
    _act("payment_intents/{id}/cancel", "PaymentIntentCancelParams", {"cancellation_reason", "expand"}, intents.cancel),
    _create("setup_intents", "SetupIntentCreateParams", setups.MODELLED_CREATE, setups.create),
    _listing("setup_intents", "setup_intent", "SetupIntentListParams",
             BY_CUSTOMER | {"payment_method": "payment_method"}),
    _retrieve("setup_intents", "setup_intent", "SetupIntentRetrieveParams"),
    _act("setup_intents/{id}", "SetupIntentUpdateParams", setups.MODELLED_UPDATE, setups.update),
    _act("setup_intents/{id}/confirm", "SetupIntentConfirmParams", setups.MODELLED_CONFIRM, setups.confirm),
    _act("setup_intents/{id}/cancel", "SetupIntentCancelParams", {"cancellation_reason", "expand"}, setups.cancel),
    _create("checkout/sessions", "checkout.SessionCreateParams", checkout.MODELLED_CREATE, checkout.create),
    _listing("checkout/sessions", "checkout.session", "checkout.SessionListParams",
             BY_CUSTOMER | {"payment_intent": "payment_intent", "status": "status"}),
    _retrieve("checkout/sessions", "checkout.session", "checkout.SessionRetrieveParams"),
    _act("checkout/sessions/{id}", "checkout.SessionUpdateParams", checkout.MODELLED_UPDATE, checkout.update),
    _act("checkout/sessions/{id}/expire", "checkout.SessionExpireParams", ONLY_EXPAND, checkout.expire),
    _route("GET", "checkout/sessions/{id}/line_items", "checkout.SessionLineItemListParams", lists.PAGING,
           _session_lines, listed=True),
    _listing("charges", "charge", "ChargeListParams", BY_CUSTOMER | {"payment_intent": "payment_intent"}),
    _retrieve("charges", "charge", "ChargeRetrieveParams"),
    _create("refunds", "RefundCreateParams", refunds.MODELLED_CREATE, refunds.create),
    _listing("refunds", "refund", "RefundListParams", {"charge": "charge", "payment_intent": "payment_intent"}),
    _retrieve("refunds", "refund", "RefundRetrieveParams"),
    _act("refunds/{id}", "RefundUpdateParams", refunds.MODELLED_UPDATE, refunds.update),
    _listing("disputes", "dispute", "DisputeListParams", {"charge": "charge", "payment_intent": "payment_intent"}),
    _retrieve("disputes", "dispute", "DisputeRetrieveParams"),
    _act("disputes/{id}", "DisputeUpdateParams", disputes.MODELLED_UPDATE, disputes.update),
    _act("disputes/{id}/close", "DisputeCloseParams", ONLY_EXPAND, disputes.close),
    _listing("balance_transactions", "balance_transaction", "BalanceTransactionListParams",
             {"type": "type", "source": "source", "currency": "currency"}),
    _retrieve("balance_transactions", "balance_transaction", "BalanceTransactionRetrieveParams"),
    _listing("events", "event", "EventListParams", {"type": "type"}),
    _retrieve("events", "event", "EventRetrieveParams"),
    _route("GET", "balance", "BalanceRetrieveParams", ONLY_EXPAND, _balance),
)  # fmt: skip


def matching(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request and the ids in its address. Raises `ApiError` (404) when there is none."""
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found and route.method == method:
            return route, found.groupdict()
    raise errors.ApiError(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
        stored=False,
    )

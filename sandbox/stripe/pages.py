"""What the hosted pages look like: templates filled with escaped text, a strict policy, no script at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from . import cards
from .books import Obj
from .shapes import dollars
from .wire import Response

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_CARDS = (
    "4242424242424242", "4000002500003155", "4000002760003184", "4000000000000002", "4000000000009995",
    "4000000000000069", "4000000000000119", "4000000000000341", "4000000000000259", "4000000000001976",
    "4000000000005126",
)  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """What to put right before trying again; `field` is number, expiry, cvc or None for the whole card."""

    message: str
    field: str | None


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / name).read_text())


def _filled(name: str, **values: str) -> str:
    return _template(name).substitute(values)


def _page(title: str, body: str, *, goes_to: list[str | None] | None = None, status: int = 200) -> Response:
    """`goes_to`: addresses a form may lead to; the policy follows a form through its redirect."""
    origins = sorted({f"{part.scheme}://{part.netloc}" for part in map(urlsplit, filter(None, goes_to or []))})
    policy = "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src data:",
            " ".join(["form-action 'self'", *origins]),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    html = _filled("layout.html", title=escape(title), body=body)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(status, html.encode(), headers)


def stylesheet() -> Response:
    return Response(200, (TEMPLATES / "checkout.css").read_bytes(), {"Content-Type": "text/css; charset=utf-8"})


def redirect(address: str) -> Response:
    return Response(303, b"", {"Location": address, "Cache-Control": "no-store"})


def notice(title: str, words: str, *, link: tuple[str, str | None] | None = None, status: int = 200) -> Response:
    """A page with one sentence and at most one link."""
    anchor = f'<p><a href="{escape(link[1])}">{escape(link[0])}</a></p>' if link and link[1] else ""
    return _page(title, _filled("notice.html", title=escape(title), words=escape(words), link=anchor), status=status)


def receipt(charge: Obj) -> Response:
    card = charge["payment_method_details"]["card"]
    words = f"{dollars(charge['amount'])} from {card['brand'].title()} ending {card['last4']}. "
    if charge["amount_refunded"]:
        words += f"{dollars(charge['amount_refunded'])} of it refunded. "
    return notice("Receipt", words + f"Charge {charge['id']}.")


def checkout(session: Obj, lines: list[Obj], given: dict[str, str], mistake: Mistake | None) -> Response:
    """The page with the card form. `given` is put into the fields again, the security code only from an example."""
    paying = session["mode"] == "payment"
    total = dollars(session["amount_total"]) if paying else ""
    title = f"Pay {total}" if paying else "Save a card"
    back = f'<a class="back" href="{escape(session["cancel_url"])}">Back</a>' if session["cancel_url"] else ""
    body = _filled(
        "checkout.html",
        back=back,
        title=title,
        lines=_lines(lines) if paying else "<p>Nothing is charged now.</p>",
        alert=_alert(mistake),
        action=f"/c/pay/{session['id']}",
        fields=_fields(given, mistake),
        save=_save_box(session),
        message=_message(session),
        button=title if paying else "Save card",
        cards=_cards(session["id"]),
    )
    return _page(title, body, goes_to=[session["success_url"], session["cancel_url"]])


def _lines(lines: list[Obj]) -> str:
    rows = "".join(
        f"<div><dt>{escape(line['description'])}{_quantity(line)}</dt><dd>{dollars(line['amount_total'])}</dd></div>"
        for line in lines
    )
    return f"<dl>{rows}</dl>"


def _quantity(line: Obj) -> str:
    return (
        f" <small>{line['quantity']} x {dollars(line['price']['unit_amount'])}</small>" if line["quantity"] > 1 else ""
    )


def _alert(mistake: Mistake | None) -> str:
    if mistake is None:
        return ""
    return f'<p class="alert" role="alert" id="mistake"><strong>{escape(mistake.message)}</strong> Nothing was charged.</p>'


def _fields(given: dict[str, str], mistake: Mistake | None) -> str:
    wrong = mistake.field if mistake else None
    known = {name: given.get(name, "") for name in ("number", "expiry", "cvc", "name")}
    if mistake:
        known["cvc"] = ""
    return "".join(
        (
            _field("number", "Card number", known, wrong, 'inputmode="numeric" autocomplete="cc-number" required'),
            '<div class="pair">',
            _field("expiry", "Expiry", known, wrong, 'placeholder="MM / YY" autocomplete="cc-exp" required'),
            _field("cvc", "CVC", known, wrong, 'inputmode="numeric" autocomplete="cc-csc" maxlength="4" required'),
            "</div>",
            _field("name", "Name", known, wrong, 'autocomplete="cc-name"'),
        )
    )


def _field(name: str, label: str, known: dict[str, str], wrong: str | None, attributes: str) -> str:
    if name == wrong:
        attributes += ' aria-invalid="true" aria-describedby="mistake"'
    value = escape(known[name])
    return (
        f'<div class="field"><label for="{name}">{label}</label>'
        f'<input id="{name}" name="{name}" value="{value}" {attributes}></div>'
    )


def _save_box(session: Obj) -> str:
    offered = (session["saved_payment_method_options"] or {}).get("payment_method_save") == "enabled"
    if not offered or session["mode"] != "payment":
        return ""
    return (
        '<p class="save"><input type="checkbox" id="save" name="save" value="yes"> '
        '<label for="save">Save this card for later</label></p>'
    )


def _message(session: Obj) -> str:
    text = (session["custom_text"].get("submit") or {}).get("message")
    return f'<p class="meta">{escape(text)}</p>' if text else ""


def _cards(session_id: str) -> str:
    shown = [cards.BY_NUMBER[number] for number in SHOWN_CARDS]
    return "".join(
        f'<li><a href="/c/pay/{session_id}?card={card.number}"><code>{_grouped(card.number)}</code></a>'
        f"<span>{escape(card.what)}</span></li>"
        for card in shown
    )


def _grouped(number: str) -> str:
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


def bank(action: str, amount: int | None, goes_to: list[str | None]) -> Response:
    """The page on which the bank asks its customer."""
    what = f"a payment of {dollars(amount)}" if amount else "saving your card"
    body = _filled("bank.html", action=escape(action), what=what)
    return _page("Authentication", body, goes_to=goes_to)

"""Letters about auto-recharge. Each that says a card may be charged again has the link that stops it."""

from billing.notices.letters.letter import About, Facts, Letter, Link, Row, page, signed, told
from billing.notices.letters.payments import NO_TAX, charged, expiry

CAP = "cap"
CHOICES = ("customer", "link")
"""Why it is off, when somebody wanted it."""


def made(facts: Facts, about: About) -> Letter:
    """The receipt of a recharge."""
    fell = (
        f"credit of {about.name} fell to {facts.balance('balance')}, below your threshold of {facts.money('threshold')}"
    )
    back = f"and was brought back to {facts.money('recharge_to')}"
    cut = f"and your cap left room for this much, not for {facts.money('recharge_to')}"
    return Letter(
        subject=f"Receipt: {facts.money('amount')} to {about.brand}",
        label="Receipt",
        figure=facts.money("amount"),
        sentences=(charged(facts, about), f"Auto-recharge: {fell}, {cut if facts.has('capped') else back}."),
        rows=(
            Row(f"Credit for {about.name}", facts.money("amount")),
            Row("Tax", "$0.00"),
            Row("Paid", facts.money("amount"), total=True),
        ),
        notes=told(expiry(facts), NO_TAX),
        button=page(about, "receipt", "See the receipt", intent_id=facts.text("intent")),
        link=_stop(facts, about),
    )


def failed(facts: Facts, about: About) -> Letter:
    left = facts.number("tries_left") if facts.has("tries_left") else 0
    more = f" {left} {'try is' if left == 1 else 'tries are'} left, then auto-recharge is switched off." if left else ""
    again = f"We try again on {facts.moment('retry_at')}.{more}" if facts.has("retry_at") else "We do not try again."
    return Letter(
        subject=f"Not charged: {facts.money('amount')} by auto-recharge",
        label="Auto-recharge",
        figure=facts.money("amount"),
        sentences=told(facts.text("reason"), f"Nothing was charged. {again}"),
        notes=(f"{about.name} goes on with the credit it has.",),
        button=page(about, "buy", "Buy credits"),
        link=_stop(facts, about),
    )


def paused(facts: Facts, about: About) -> Letter:
    """It stops until somebody acts; at the cap it goes on by itself."""
    if facts.text("why") == CAP:
        return _capped(facts, about)
    amount = facts.has("amount")
    finish = facts.has("finish_token")
    until = f"You can finish this payment until {facts.moment('link_until')}." if facts.has("link_until") else ""
    return Letter(
        subject=f"Auto-recharge paused: {facts.money('amount')} not charged" if amount else "Auto-recharge is paused",
        label="Auto-recharge is paused",
        figure=facts.money("amount") if amount else "Paused",
        sentences=told(
            facts.text("reason"),
            "Nothing was charged." if amount else "",
            until,
            f"Until you switch it on again, {about.name} uses the credit it has.",
        ),
        button=signed("recharge_finish", facts.text("finish_token"), "Finish the payment")
        if finish
        else page(about, "buy", "Buy credits"),
        link=page(about, "cards", "Use another card"),
    )


def changed(facts: Facts, about: About) -> Letter:
    """Switched on, changed or switched off."""
    if not facts.has("on"):
        asked = "somebody switched it off" if facts.text("why") in CHOICES else "it was switched off"
        return Letter(
            subject=f"Auto-recharge of {about.name} is off",
            label="Auto-recharge",
            figure="Off",
            sentences=(f"Auto-recharge of {about.name} is off: {asked}.", "No card is charged by it any more."),
            button=page(about, "recharge", "See auto-recharge"),
            link=page(about, "buy", "Buy credits"),
        )
    low, high = facts.money("threshold"), facts.money("recharge_to")
    return Letter(
        subject=f"Auto-recharge of {about.name} is on: below {low}, up to {high}",
        label="Auto-recharge",
        figure="On",
        sentences=told(
            f"Below {low} we charge the saved card what brings credit of {about.name} up to {high}.",
            f"Never more than {facts.money('cap')} in a calendar month."
            if facts.has("cap")
            else "There is no monthly cap.",
        ),
        notes=("If nobody of you did this, stop it and look at who may move money.",),
        button=page(about, "recharge", "See auto-recharge"),
        link=_stop(facts, about),
    )


def _capped(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"{facts.money('cap')} charged this month: auto-recharge has reached its cap",
        label="Cap of auto-recharge",
        figure=facts.money("cap"),
        sentences=told(
            f"Auto-recharge of {about.name} has charged what you allow for a calendar month.",
            f"It charges nothing more until {facts.moment('until')}." if facts.has("until") else "",
        ),
        notes=(f"Until then {about.name} uses the credit it has.",),
        button=page(about, "buy", "Buy credits"),
        link=page(about, "recharge", "Change the cap"),
    )


def _stop(facts: Facts, about: About) -> Link:
    """Stops it with one click and no signing in; without a token, the page where it is set."""
    if facts.has("stop_token"):
        return signed("recharge_stop", facts.text("stop_token"), "Stop auto-recharge")
    return page(about, "recharge", "Change auto-recharge")

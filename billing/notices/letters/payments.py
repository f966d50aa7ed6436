"""Letters about payments, and about the end of a month."""

from datetime import date

from billing import wording
from billing.notices.letters.letter import About, Facts, Letter, Row, page, told

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
PURPOSES = {
    "credits": "You bought credit for {name}.",
    "recharge": "Auto-recharge bought credit for {name}.",
    "subscription": "This pays the plan of {name}.",
    "settlement": "This pays what {name} used beyond its credit until the end of the month.",
    "contract": "This pays for reserved capacity of {name}.",
}
NO_TAX = "No tax was collected. This is not a tax invoice."


def receipt(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Receipt: {facts.money('amount')} to {about.brand}",
        label="Receipt",
        figure=facts.money("amount"),
        sentences=(charged(facts, about), PURPOSES[facts.text("purpose")].format(name=about.name)),
        rows=(
            *_paid_off(facts),
            *([Row(f"Credit for {about.name}", facts.money("new_credit"))] if _is_some(facts, "new_credit") else []),
            Row("Tax", "$0.00"),
            Row("Paid", facts.money("amount"), total=True),
        ),
        notes=told(expiry(facts) if _is_some(facts, "new_credit") else "", NO_TAX),
        button=page(about, "receipt", "See the receipt", intent_id=facts.text("intent")),
        link=page(about, "billing", "See your credit", anchor="credits"),
    )


def statement(facts: Facts, about: About) -> Letter:
    month = month_of(facts.text("period"))
    return Letter(
        subject=f"Statement for {month}: {facts.balance('closing')} at its end",
        label=f"Statement {facts.text('number')}",
        figure=facts.balance("closing"),
        sentences=(
            f"The credit of {about.name} at the end of {month}, UTC.",
            f"{month} is closed: nothing in it changes.",
        ),
        button=page(about, "statement", "See the statement", number=facts.text("number")),
        link=page(about, "billing", "See the ledger", anchor="ledger"),
    )


def settlement_failed(facts: Facts, about: About) -> Letter:
    month = month_of(facts.text("period"))
    again = f"We try again on {facts.moment('retry_at')}." if facts.has("retry_at") else "We do not try again."
    return Letter(
        subject=f"Not paid: {facts.money('amount')} for {month}",
        label="Month-end charge",
        figure=facts.money("amount"),
        sentences=told(
            f"{about.name} used this much beyond its credit until the end of {month}, and the charge was not paid.",
            facts.text("reason"),
            f"Nothing was charged. {again}",
        ),
        notes=("Credit that you buy pays this first.",),
        button=page(about, "buy", "Buy credits"),
        link=page(about, "cards", "Use another card"),
    )


# --- Words that other letters share -----------------------------------------------------------------------------------


def charged(facts: Facts, about: About) -> str:
    """ "Charged to Visa ending 4242 on 30 Mar 2026, 16:00 UTC." """
    when = facts.moment("charged_at") if facts.has("charged_at") else wording.moment(about.said_at)
    return f"Charged to {facts.card()} on {when}." if facts.has("card_last4") else f"Paid on {when}."


def expiry(facts: Facts) -> str:
    return f"This credit expires on {facts.moment('expires_at')}." if facts.has("expires_at") else ""


def month_of(period: str) -> str:
    """ "2026-04" is April 2026."""
    first = date.fromisoformat(f"{period}-01")
    return f"{MONTHS[first.month - 1]} {first.year}"


def _paid_off(facts: Facts) -> list[Row]:
    parts = (("overdraft_paid", "Overdraft paid"), ("debt_paid", "Debt paid"))
    return [Row(label, facts.money(name)) for name, label in parts if _is_some(facts, name)]


def _is_some(facts: Facts, name: str) -> bool:
    return facts.has(name) and facts.usd(name) > 0

"""Letters about plans: paid, not paid, changed, ended."""

from billing import wording
from billing.notices.letters.letter import About, Facts, Letter, Row, page, told
from billing.notices.letters.payments import NO_TAX, charged

PAID = {
    "started": "{plan} begins for {name}.",
    "renewed": "{plan} of {name} goes on for another month.",
    "upgraded": "{name} has {plan} from now on.",
}
ENDED = {
    "canceled": "You canceled it.",
    "unpaid": "The renewal was not paid within seven days. Nothing is owed for it.",
    "retired": "Its last model is retired. The days that were not used are refunded to the card.",
    "disputed": "A payment for it is disputed.",
    "taken": "Its models are covered otherwise. What was paid is refunded to the card.",
    "not_paid": "The first payment was not made.",
}


def started(facts: Facts, about: About) -> Letter:
    """The receipt of a plan, its renewal or upgrade."""
    paid = facts.usd("amount") > 0
    words = PAID[facts.text("what")].format(plan=facts.text("plan"), name=about.name)
    until = f"It is paid until {facts.moment('until')}." if facts.has("until") else ""
    arrears = facts.usd("arrears") > 0
    rows = (
        Row(facts.text("plan"), wording.usd(facts.usd("amount") - facts.usd("arrears"))),
        *([Row("Days of grace used before", facts.money("arrears"))] if arrears else []),
        Row("Tax", "$0.00"),
        Row("Paid", facts.money("amount"), total=True),
    )
    return Letter(
        subject=f"Receipt: {facts.money('amount')} to {about.brand}"
        if paid
        else f"{facts.text('plan')}: nothing to pay",
        label=facts.text("plan"),
        figure=facts.money("amount"),
        sentences=told(charged(facts, about) if paid else "Nothing was charged.", words, until),
        rows=rows if paid else (),
        notes=told(f"It is renewed then at {facts.money('price')} a month, unless you cancel.", NO_TAX if paid else ""),
        button=page(about, "receipt", "See the receipt", intent_id=facts.text("intent"))
        if paid
        else page(about, "plan", "See the plan"),
        link=page(about, "plan", "See the plan"),
    )


def failed(facts: Facts, about: About) -> Letter:
    if facts.has("gone_back"):
        return _gone_back(facts, about)
    covered = f"{about.name} keeps {facts.text('plan')} until then." if facts.has("covered") else ""
    pays = "" if covered else f"Until it is paid, {facts.text('plan')} covers nothing."
    return Letter(
        subject=f"Not paid: {facts.money('amount')} for {facts.text('plan')}",
        label="Renewal",
        figure=facts.money("amount"),
        sentences=told(
            facts.text("reason"), f"Nothing was charged. We try again on {facts.moment('retry_at')}.", covered, pays
        ),
        notes=("The plan ends when it is not paid within seven days. Nothing is owed for it then.",),
        button=page(about, "plan", "Pay in the browser"),
        link=page(about, "cards", "Use another card"),
    )


def changed(facts: Facts, about: About) -> Letter:
    """Scheduled, withdrawn, dearer, stopped by a dispute, or going on after it."""
    plan, what = facts.text("plan"), facts.text("what")
    match what:
        case "ends":
            return _changed(about, f"{plan} ends on {facts.moment('at')}", "Canceled", (
                f"{about.name} keeps {plan} to the last second, with its limits as they are.",
                "Nothing more is charged for it. Until then you can withdraw this.",
            ))  # fmt: skip
        case "changes":
            return _changed(about, f"{plan} becomes {facts.text('next_plan')} on {facts.moment('at')}", "Scheduled", (
                f"Until then {about.name} keeps {plan}, and you can withdraw this.",
            ))  # fmt: skip
        case "stays":
            return _changed(about, f"{plan} goes on", "Withdrawn", (
                f"What was scheduled for {facts.moment('at')} does not happen.",
            ))  # fmt: skip
        case "price":
            return _changed(about, f"{plan} costs {facts.money('amount')} a month from {facts.moment('at')}", "New price", (
                f"{about.name} pays {facts.money('before')} a month now, and until then.",
                "Nothing has to be done. To leave or to change the plan, do it before: it costs nothing.",
            ))  # fmt: skip
        case "suspended":
            return _changed(about, f"{plan} is suspended", "Disputed", (
                "A payment for it is disputed with its bank. Until that is decided it covers nothing.",
            ))  # fmt: skip
    return _changed(about, f"{plan} goes on", "Decided", ("The dispute of its payment is closed: it covers again.",))


def ended(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"{facts.text('plan')} of {about.name} has ended",
        label="Plan",
        figure="Ended",
        sentences=told(f"It ended on {facts.moment('ended_at')}.", ENDED[facts.text("why")]),
        notes=told(
            "Who subscribes again within 60 days first pays the days since its period ended."
            if facts.has("grace")
            else "",
            f"Models that no plan covers use credit of {about.name}.",
        ),
        button=page(about, "plan", "See the plans"),
        link=page(about, "buy", "Buy credits"),
    )


def _changed(about: About, subject: str, figure: str, sentences: tuple[str, ...]) -> Letter:
    return Letter(
        subject=subject,
        label="Plan",
        figure=figure,
        sentences=sentences,
        button=page(about, "plan", "See the plan"),
        link=page(about, "billing", "See your billing"),
    )


def _gone_back(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Refunded: {facts.money('amount')} for {facts.text('plan')}",
        label="Refund",
        figure=facts.money("amount"),
        sentences=("This payment came too late for what it was for.", "All of it goes back to the card."),
        button=page(about, "plan", "See the plan"),
        link=page(about, "billing", "See your billing"),
    )

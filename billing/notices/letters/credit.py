"""Letters about the credit there is: little of it, or soon at its end."""

from billing import wording
from billing.notices.letters.letter import About, Facts, Letter, Row, page


def low_balance(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Below {facts.money('threshold')}: credit of {about.name}",
        label="Available credit",
        figure=facts.balance("balance"),
        sentences=(
            f"Credit of {about.name} fell below {facts.money('threshold')} on {wording.moment(about.said_at)}.",
            "When it is used up, requests that it pays for are refused.",
        ),
        notes=("We tell you again when it has been above this amount and falls below it once more.",),
        button=page(about, "buy", "Buy credits"),
        link=page(about, "alerts", "Change these amounts", anchor="settings"),
    )


def expiring(facts: Facts, about: About) -> Letter:
    at, grants = facts.at("expires_at"), facts.number("grants")
    # As it is when this is said: the step may have been told late.
    days = (at.date() - about.said_at.date()).days
    several = f"{grants} grants of {about.name} end on {wording.day(at)}, the first of them at {wording.clock(at)}."
    return Letter(
        subject=f"{facts.money('amount')} of credit expires on {wording.day(at)}, {about.name}",
        label=f"Expires in {days} {'day' if days == 1 else 'days'}" if days else "Expires today",
        figure=facts.money("amount"),
        sentences=(
            f"Credit of {about.name} ends on {wording.moment(at)}." if grants == 1 else several,
            f"{facts.money('amount')} is left now. It is used before credit that ends later.",
        ),
        rows=(Row("Left", facts.money("amount")), Row("Ends on", wording.moment(at))),
        notes=("What is not used by then expires. It is not refunded.",),
        button=page(about, "billing", "See your credit", anchor="credits"),
        link=page(about, "expiry_calendar", "Add to calendar"),
    )

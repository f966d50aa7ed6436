"""Letters about reserved capacity."""

from datetime import date

from billing import wording
from billing.notices.letters.letter import About, Facts, Letter, Link, Row, page, told


def offered(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"A contract for {about.name} to accept: {facts.money('amount')} a month",
        label="Reserved capacity",
        figure=facts.money("amount"),
        sentences=(
            f"{_tokens(facts)} a month of {facts.text('models')}, for 12 months from {_day(facts, 'starts_on')}.",
            "An owner can accept it until then. Nothing is charged before.",
        ),
        rows=_rows(facts),
        button=_open(facts, about, "Read the contract"),
        link=page(about, "cards", "Check the card"),
    )


def started(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Started: {_tokens(facts)} a month for {about.name}",
        label="Reserved capacity",
        figure=facts.money("amount"),
        sentences=(
            f"The first month of {facts.text('models')} is paid, and the contract runs until {_day(facts, 'ends_on')}.",
            f"{facts.money('amount')} is charged at the start of each month, used or not.",
        ),
        rows=_rows(facts),
        button=_open(facts, about, "See the contract"),
        link=page(about, "usage", "See usage"),
    )


def failed(facts: Facts, about: About) -> Letter:
    """A charge was not made; or the first month was not paid on its day, and the start is put off."""
    if facts.text("reason") == "put_off":
        return Letter(
            subject=f"Not started: the contract of {about.name} now starts on {facts.moment('retry_at')}",
            label="Reserved capacity",
            figure=facts.money("amount"),
            sentences=("Its first month was not paid on the first day of the month, so it starts a month later.",),
            button=page(about, "cards", "Check the card"),
            link=_open(facts, about, "See the contract"),
        )
    again = (
        f"We try again on {facts.moment('retry_at')}." if facts.has("retry_at") else "We do not try again by ourselves."
    )
    closes = (
        f"Requests are refused from {facts.moment('closes_at')} on, until it is paid." if facts.has("closes_at") else ""
    )
    what = "commitment" if facts.text("what") == "commitment" else "overage"
    return Letter(
        subject=f"Not paid: {facts.money('charge')} for reserved capacity",
        label=f"Contract {what}",
        figure=facts.money("charge"),
        sentences=told(
            f"The {what} of {about.name} for {facts.text('models')} was not paid.", facts.text("reason"), again, closes
        ),
        button=_open(facts, about, "Pay now"),
        link=page(about, "cards", "Use another card"),
    )


def limit(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Overage limit reached: {facts.money('limit')} of {about.name}",
        label="Reserved capacity",
        figure=facts.money("limit"),
        sentences=(
            f"Use of {facts.text('models')} beyond this month's tokens has reached the limit of the contract.",
            "Requests are refused until the month ends or an owner raises the limit.",
        ),
        button=_open(facts, about, "Raise the limit"),
        link=page(about, "usage", "See usage"),
    )


def ending(facts: Facts, about: About) -> Letter:
    return Letter(
        subject=f"Ends on {_day(facts, 'ends_on')}: reserved capacity of {about.name}",
        label="Reserved capacity",
        figure=facts.money("amount"),
        sentences=(
            f"The contract for {facts.text('models')} ends on {facts.moment('ends_at')}. It does not renew by itself.",
            "From then on these models use credit.",
        ),
        button=_open(facts, about, "See the contract"),
        link=page(about, "buy", "Buy credits"),
    )


def _rows(facts: Facts) -> tuple[Row, ...]:
    return (
        Row("Tokens a month", f"{facts.number('tokens'):,}"),
        Row("A month", facts.money("amount")),
        Row("Starts", _day(facts, "starts_on")),
        Row("Ends", _day(facts, "ends_on")),
    )


def _open(facts: Facts, about: About, label: str) -> Link:
    return page(about, "contract", label, contract_id=facts.text("contract"))


def _tokens(facts: Facts) -> str:
    return f"{wording.round_tokens(facts.number('tokens'))} tokens"


def _day(facts: Facts, name: str) -> str:
    return wording.day(date.fromisoformat(facts.text(name)))

"""Letters about saved cards."""

from billing import wording
from billing.notices.letters.letter import About, Facts, Letter, page

CHANGES = {
    "added": ("was added", "It can be charged for what {name} buys, recharges or owes at the end of a month."),
    "removed": ("was removed", "It is not charged any more."),
    "default": ("is charged from now on", "It is the card that {name} is charged on."),
}


def expiring(facts: Facts, about: About) -> Letter:
    card = facts.card("brand", "last4")
    expiry = wording.card_expiry(facts.number("exp_month"), facts.number("exp_year"))
    return Letter(
        subject=f"{card} expires at the end of {expiry}",
        label="Card expires",
        figure=expiry,
        sentences=(
            f"{card}, saved for {about.name}, expires at the end of {expiry}.",
            "After that charges on it are refused, and auto-recharge stops.",
        ),
        button=page(about, "cards", "See your cards"),
        link=page(about, "billing", "See your billing"),
    )


def changed(facts: Facts, about: About) -> Letter:
    card = facts.card("brand", "last4")
    happened, means = CHANGES[facts.text("what")]
    return Letter(
        subject=f"{card} {happened}",
        label="Saved cards",
        figure=card,
        sentences=(
            f"{card} {happened} on {wording.moment(about.said_at)}, for {about.name}.",
            means.format(name=about.name),
        ),
        notes=("If nobody of you did this, look at who may move money.",),
        button=page(about, "cards", "See your cards"),
        link=page(about, "billing", "See your billing"),
    )

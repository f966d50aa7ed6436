"""The letter to an address that is to get the others."""

from billing.notices.letters.letter import About, Facts, Letter, page, signed


def confirm(facts: Facts, about: About) -> Letter:
    """Asks whether it wants them; who asked is said under it. The list in the portal names no address."""
    return Letter(
        subject=f"Billing e-mail of {about.name}: confirm the address",
        label="Billing e-mail",
        figure="Confirm the address",
        sentences=(
            f"What concerns the billing of {about.name} is to be sent to this address: receipts, statements, warnings.",
            f"That begins when the address is confirmed, which can be done until {facts.moment('until')}.",
            "Until then mail goes where it went before.",
        ),
        notes=("If this tells you nothing, do nothing: then no other letter follows.",),
        button=signed("billing_email", facts.text("token"), "Confirm this address"),
        link=page(about, "billing", "See the billing"),
    )

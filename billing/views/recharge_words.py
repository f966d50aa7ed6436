"""How auto-recharge is told of: why it does not work, and what can be done about it."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from billing import wording
from billing.money import from_cents
from billing.recharge import links
from billing.recharge.models import LINK_VALID, Attempt, Rule, Standing, Why


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fact, a plain sentence, and the one thing to do about it."""

    fact: str
    sentence: str
    action: str
    url: str


SAID = {
    Why.DECLINES: (
        "Auto-recharge is off: the card was declined four times.",
        "Nothing is charged any more. Choose another card, or ask your bank, and switch it on again.",
    ),
    Why.HARD_DECLINE: (
        "Auto-recharge is paused: the bank refused the card.",
        "Nothing is charged until you pay in the browser, or choose another card and switch it on again.",
    ),
    Why.AUTHENTICATION: (
        "Auto-recharge is paused: the bank wants you to confirm.",
        "Nothing is charged until you do so in the browser, or choose another card and switch it on again.",
    ),
    Why.NO_CARD: (
        "Auto-recharge is paused: its card was removed or has expired.",
        "Nothing is charged until you choose another card and switch it on again.",
    ),
    Why.BURST: (
        "Auto-recharge is off: it charged three times within ten minutes.",
        "That is more than usual, so we stopped it. Look at your usage, and switch it on again if all is well.",
    ),
}
"""What stopped it that its customer has to do something about. A dispute has a notice of its own."""
FINISHED_BY_PAYING = (Why.HARD_DECLINE, Why.AUTHENTICATION)


def trouble(rule: Rule | None, slug: str, *, now: datetime) -> Trouble | None:
    if rule is None or rule.standing == Standing.ON or rule.why not in SAID:
        return None
    fact, sentence = SAID[Why(rule.why)]
    page = reverse("billing:recharge", kwargs={"slug": slug})
    if rule.standing == Standing.PAUSED and rule.why in FINISHED_BY_PAYING:
        attempt = to_finish(rule, now=now)
        if attempt is not None:
            link = reverse("billing:recharge_finish", kwargs={"token": links.finish_token(attempt.pk)})
            return Trouble(fact, sentence, f"Pay {wording.usd(from_cents(attempt.amount_cents))} in the browser", link)
    return Trouble(fact, sentence, "Open auto-recharge", page)


def to_finish(rule: Rule, *, now: datetime) -> Attempt | None:
    """The attempt that can still be paid in the browser."""
    newest = Attempt.objects.select_related("intent").filter(wallet_id=rule.wallet_id).order_by("-at", "-rung").first()
    if newest is None or newest.finish_id or newest.intent.settled_at is None:
        return None
    return newest if now <= newest.intent.settled_at + LINK_VALID else None

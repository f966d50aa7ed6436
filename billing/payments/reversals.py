"""What refunds and disputes have in common: which payment of ours they are about, and where its money went."""

from uuid import UUID

import structlog

from billing.ledger import posting
from billing.ledger.whereabouts import Payment
from billing.payments import answers, gateway, outcomes
from billing.payments.models import Dispute, Intent, Purpose, Refund, State

log = structlog.get_logger(__name__)

Told = answers.Refund | answers.Dispute


class NotSettled(RuntimeError):
    """Money goes back of a payment that is not paid as far as anybody knows: it is asked about again."""


def intent_of(told: Told) -> UUID | None:
    """Our payment that this is about; None when it is not ours, or not in dollars, which the ledger does not count.

    Asks Stripe where the charge is not known here: the news of the payment itself may be late. Raises what `gateway` does.
    """
    if told.currency != outcomes.CURRENCY:
        log.error("reversal_not_in_dollars", told=told.id, currency=told.currency, cents=told.amount_cents)
        return None
    known = Intent.objects.filter(charge_id=told.charge_id) if told.charge_id else Intent.objects.none()
    if intent_id := known.values_list("pk", flat=True).first():
        return intent_id
    if not told.payment_id:
        return None
    if intent_id := Intent.objects.filter(provider_id=told.payment_id).values_list("pk", flat=True).first():
        return intent_id
    intent_id = gateway.read_payment(told.payment_id).intent_id
    return intent_id if intent_id and Intent.objects.filter(pk=intent_id).exists() else None


def missing_payment(intent_id: UUID, told: Told) -> outcomes.Paid | None:
    """The payment's own news, read from Stripe, where they have not been heard here; None when it is settled.

    Raises NotSettled when Stripe does not call it paid, and what `gateway` raises.
    """
    intent = Intent.objects.get(pk=intent_id)
    if intent.state == State.SUCCEEDED and told.charge_id in (intent.charge_id, ""):
        return None
    if posting.is_posted(f"pay:{intent_id}:{told.charge_id}"):
        return None
    outcome = outcomes.of_payment(gateway.read_payment(told.payment_id or intent.provider_id or ""))
    if not isinstance(outcome, outcomes.Paid):
        raise NotSettled(f"{told.id} is about payment {intent_id}, which is not paid.")
    return outcome


def payment_of(intent: Intent, charge_id: str | None) -> Payment:
    """Where the money of this charge went, for the ledger. Was the payment paid twice, each charge goes its own way."""
    prefixes = [f"rf:{refund_id}:" for refund_id in Refund.objects.filter(intent=intent).values_list("pk", flat=True)]
    prefixes += [
        f"dp:{dispute_id}:"
        for dispute_id in Dispute.objects.filter(intent=intent).values_list("provider_id", flat=True)
    ]
    credited = intent.failure_code != outcomes.UNAPPLIED and charge_id in (intent.charge_id, "")
    of_plan = credited and intent.purpose == Purpose.SUBSCRIPTION
    return Payment(intent.wallet_id, intent.pk, tuple(prefixes), credited, of_plan)


def is_disputed(intent: Intent) -> bool:
    """A dispute or inquiry about this payment is open."""
    return Dispute.objects.filter(intent=intent, closed_at=None).exists()


def organization(intent_id: UUID) -> int:
    return Intent.objects.values_list("wallet_id", flat=True).get(pk=intent_id)

"""Index only: every table of billing, in the order of the layers."""

from billing.catalog.models import AIModel, Plan, Price, RateLimit
from billing.contracts.models import Acceptance, Contract, ContractAct, ContractModel
from billing.contracts.monthly import ContractDue, ContractLine, ContractMonth
from billing.coverage.models import Coverage, PayerBase
from billing.ledger.models import Account, Accrual, CreditGrant, LedgerPeriod, Transfer, TransferNote, Wallet
from billing.limits.models import LimitsAnswer, LimitsClock, LimitsResolved
from billing.metering.models import (
    AllowanceDay,
    Gateway,
    GatewayToken,
    KeySpend,
    RefusedUsage,
    SweepRun,
    UsageDelta,
    UsageEvent,
    UsageHour,
    UsageMinute,
    UsageReversal,
    UsageSeen,
)
from billing.notices.models import LowBalanceArmed, Notice, NoticeSettings
from billing.payments.card_setups import CardSetup
from billing.payments.models import Customer, Dispute, DisputeMovement, Intent, PaymentMethod, Refund
from billing.payments.reconciliations import Reconciliation, ReconciliationFinding
from billing.recharge.models import Attempt, Consent, Rule
from billing.settlement.models import OverdraftCeiling, Settlement
from billing.statements.models import (
    BillingDetails,
    DocumentCounter,
    Receipt,
    ReceiptParty,
    Statement,
    StatementParty,
)
from billing.subscriptions.models import Change, Charge, CoveredModel, PaidPeriod, PriceRise, Quote, Subscription
from billing.webhooks.models import InboxEvent

__all__ = [
    "AIModel",
    "Acceptance",
    "Account",
    "Accrual",
    "AllowanceDay",
    "Attempt",
    "BillingDetails",
    "CardSetup",
    "Change",
    "Charge",
    "Consent",
    "Contract",
    "ContractAct",
    "ContractDue",
    "ContractLine",
    "ContractModel",
    "ContractMonth",
    "Coverage",
    "CoveredModel",
    "CreditGrant",
    "Customer",
    "Dispute",
    "DisputeMovement",
    "DocumentCounter",
    "Gateway",
    "GatewayToken",
    "InboxEvent",
    "Intent",
    "KeySpend",
    "LedgerPeriod",
    "LimitsAnswer",
    "LimitsClock",
    "LimitsResolved",
    "LowBalanceArmed",
    "Notice",
    "NoticeSettings",
    "OverdraftCeiling",
    "PaidPeriod",
    "PayerBase",
    "PaymentMethod",
    "Plan",
    "Price",
    "PriceRise",
    "Quote",
    "RateLimit",
    "Receipt",
    "ReceiptParty",
    "Reconciliation",
    "ReconciliationFinding",
    "Refund",
    "RefusedUsage",
    "Rule",
    "Settlement",
    "Statement",
    "StatementParty",
    "Subscription",
    "SweepRun",
    "Transfer",
    "TransferNote",
    "UsageDelta",
    "UsageEvent",
    "UsageHour",
    "UsageMinute",
    "UsageReversal",
    "UsageSeen",
    "Wallet",
]

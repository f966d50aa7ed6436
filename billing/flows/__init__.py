"""READ FIRST. The life of an account, one short function per event: a plain sequence of calls, no rules of its own.

Each function is one transaction (or a row of small ones), takes the wallet's lock first and says last what changed for
the gateways, so that the numbers of the limits feed follow the order of commits.

They stand by their occasion and are called by one name wherever they stand, `flows.refund(...)`:

    paying          what a customer pays, and credit that staff give
    saving_cards    a card is saved, chosen, removed
    using           usage comes in and credit goes out, by use and by its end
    running_low     credit runs low, and a saved card is charged by its customer's rule
    giving_back     money goes back by refund or dispute, and what was spent of it is owed
    ending_months   months are settled, what they left owed is charged, and they are told
    subscribing     a plan is quoted, begun, changed, renewed, and ends
    contracting     reserved capacity is offered, accepted, charged, and ends
    comparing       Stripe's own lists are put beside the books

`steps` has what several of them do on their way. A new occasion is a room of its own.
"""

from billing.flows.comparing import reconcile
from billing.flows.contracting import (
    accept_contract,
    bring_contracts_forward,
    collect_contract,
    collect_contracts,
    draft_contract,
    end_unpaid_contract,
    forgive_receivable,
    offer_contract,
    pay_contract,
    set_contract_limit,
    withdraw_contract,
)
from billing.flows.ending_months import collect_settlement, collect_settlements, issue_statements, settle_periods
from billing.flows.giving_back import dispute_told, forgive_debt, refund, refund_told, review_refund, write_off_debts
from billing.flows.paying import grant_promotional, payment_outcome
from billing.flows.running_low import (
    finish_recharge,
    recharge,
    recharge_due,
    stop_recharge_by_link,
    switch_recharge_off,
    switch_recharge_on,
)
from billing.flows.saving_cards import card_saved, card_told, choose_card, remove_card
from billing.flows.subscribing import (
    cancel_plan,
    charge_plan_to,
    earn_plans,
    finish_renewal,
    quote_plan,
    renew_plan,
    renew_plans,
    retire_plans,
    schedule_plan,
    subscribe,
    tell_price_rises,
    upgrade,
    withdraw_change,
)
from billing.flows.using import expire, reverse_usage, sweep, tell_low_balances

__all__ = [
    "accept_contract",
    "bring_contracts_forward",
    "cancel_plan",
    "card_saved",
    "card_told",
    "charge_plan_to",
    "choose_card",
    "collect_contract",
    "collect_contracts",
    "collect_settlement",
    "collect_settlements",
    "dispute_told",
    "draft_contract",
    "earn_plans",
    "end_unpaid_contract",
    "expire",
    "finish_recharge",
    "finish_renewal",
    "forgive_debt",
    "forgive_receivable",
    "grant_promotional",
    "issue_statements",
    "offer_contract",
    "pay_contract",
    "payment_outcome",
    "quote_plan",
    "recharge",
    "recharge_due",
    "reconcile",
    "refund",
    "refund_told",
    "remove_card",
    "renew_plan",
    "renew_plans",
    "retire_plans",
    "reverse_usage",
    "review_refund",
    "schedule_plan",
    "set_contract_limit",
    "settle_periods",
    "stop_recharge_by_link",
    "subscribe",
    "sweep",
    "switch_recharge_off",
    "switch_recharge_on",
    "tell_low_balances",
    "tell_price_rises",
    "upgrade",
    "withdraw_change",
    "withdraw_contract",
    "write_off_debts",
]

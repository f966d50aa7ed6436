"""Attacks on plans, their periods, and who pays."""

from tests.attacks.attack import CHECK, FOREIGN, UNIQUE, Attack

A_PERIOD = (
    "INSERT INTO subscription_period (org_id, subscription_id, number, part, plan_id, price_cents, charged_cents, starts_at,"
    " ends_at, paid_at, charge_id, earned_cents)"
)
A_CHARGE = (
    "INSERT INTO plan_charge (org_id, subscription_id, kind, number, plan_id, price_cents, amount_cents, arrears_cents,"
    " intent_id, made_at)"
)

ATTACKS = [
    Attack("delete plans", "DELETE FROM subscription"),
    Attack("empty plans", "TRUNCATE subscription CASCADE"),
    Attack(
        "a plan of another organization", "UPDATE subscription SET org_id = {acme}", CHECK, "subscription_moves_forward"
    ),
    Attack(
        "a plan that began at another moment",
        "UPDATE subscription SET anchor = anchor - interval '1 day'",
        CHECK, "subscription_moves_forward",
    ),
    Attack(
        "a period that was paid and is not any more",
        "UPDATE subscription SET number = number - 1",
        CHECK, "subscription_moves_forward",
    ),
    Attack(
        "a plan that runs and was never paid",
        "INSERT INTO subscription (public_id, org_id, plan_id, state, created_at, number, price_cents, renewals, tries,"
        " ended_as) SELECT gen_random_uuid(), {acme}, plan_id, 'active', now(), 0, 0, 0, 0, '' FROM subscription",
        CHECK, "subscription_begun_has_period",
    ),
    Attack(
        "a plan that ended for no reason",
        "UPDATE subscription SET state = 'ended', ended_at = now()",
        CHECK, "subscription_ended_says_why",
    ),
    Attack(
        "a plan renewed with another's card",
        "INSERT INTO subscription (public_id, org_id, plan_id, state, created_at, number, price_cents, renewals, tries,"
        " ended_as, method_id) SELECT gen_random_uuid(), {acme}, plan_id, 'incomplete', now(), 0, 0, 0, 0, '', method_id"
        " FROM subscription",
        FOREIGN, "subscription_method_same_organization",
    ),
    Attack(
        "two plans for one model",
        "WITH more AS (INSERT INTO subscription (public_id, org_id, plan_id, state, created_at, number, price_cents,"
        " renewals, tries, ended_as) SELECT gen_random_uuid(), org_id, plan_id, 'incomplete', now(), 0, 0, 0, 0, ''"
        " FROM subscription RETURNING id, org_id) INSERT INTO subscription_model (org_id, subscription_id, model_id, open)"
        " SELECT org_id, id, {model}, true FROM more",
        UNIQUE, "subscription_model_one_open",
    ),
    Attack("delete what plans cover", "DELETE FROM subscription_model"),
    Attack("a plan that covers another model", "UPDATE subscription_model SET model_id = 1"),
    Attack("delete fees", "DELETE FROM subscription_period"),
    Attack("a fee of another amount", "UPDATE subscription_period SET charged_cents = 1"),
    Attack(
        "more earned than was paid", "UPDATE subscription_period SET earned_cents = charged_cents + 1",
        CHECK, "subscription_period_bounded",
    ),
    Attack(
        "a period paid twice",
        f"{A_PERIOD} SELECT org_id, subscription_id, number, part, plan_id, price_cents, charged_cents, starts_at, ends_at,"
        " paid_at, charge_id, 0 FROM subscription_period LIMIT 1",
        UNIQUE, "subscription_period_paid_once",
    ),
    Attack(
        "a period of another organization's plan",
        f"{A_PERIOD} SELECT {{acme}}, subscription_id, 7, part, plan_id, price_cents, charged_cents, starts_at, ends_at,"
        " paid_at, charge_id, 0 FROM subscription_period LIMIT 1",
        FOREIGN, "subscription_period_same_organization",
    ),
    Attack(
        "a charge by another organization's payment",
        f"{A_CHARGE} SELECT org_id, subscription_id, 'renewal', 2, plan_id, 100, 100, 0, '{{open}}', now()"
        " FROM plan_charge LIMIT 1",
        FOREIGN, "plan_charge_intent_same_organization",
    ),
    Attack(
        "a charge without a payment",
        f"{A_CHARGE} SELECT org_id, subscription_id, 'renewal', 2, plan_id, 100, 100, 0, NULL, now()"
        " FROM plan_charge LIMIT 1",
        CHECK, "plan_charge_has_its_payment",
    ),
    Attack("another amount than was to be collected", "UPDATE plan_charge SET amount_cents = 1"),
    Attack("delete charges of plans", "DELETE FROM plan_charge"),
    Attack("another price than was shown", "UPDATE plan_quote SET amount_cents = 1"),
    Attack("delete what was shown", "DELETE FROM plan_quote"),
    Attack(
        "two changes at once",
        "INSERT INTO plan_change (org_id, subscription_id, effective_at, made_at)"
        " SELECT org_id, subscription_id, effective_at, made_at FROM plan_change",
        UNIQUE, "plan_change_one_pending",
    ),
    Attack("a change to another moment", "UPDATE plan_change SET effective_at = now()"),
    Attack(
        "a change withdrawn and done", "UPDATE plan_change SET withdrawn_at = now(), applied_at = now()",
        CHECK, "plan_change_ends_one_way",
    ),
    Attack("delete changes", "DELETE FROM plan_change"),
    Attack("a change at another price", "UPDATE plan_change SET price_cents = 1"),
    Attack("a dearer plan from tomorrow on", "UPDATE plan_price_rise SET effective_at = told_at + interval '1 day'"),
    Attack("what was told was never told", "DELETE FROM plan_price_rise"),
    Attack(
        "a price told of a day before",
        "INSERT INTO plan_price_rise (org_id, subscription_id, plan_id, from_cents, to_cents, told_at, effective_at)"
        " SELECT org_id, id, plan_id, 5000, 6000, now(), now() + interval '1 day' FROM subscription",
        CHECK, "plan_price_rise_told_in_time",
    ),
    Attack(
        "another end of who paid", "UPDATE coverage SET valid_to = valid_to + interval '1 day' WHERE payer <> 3",
        CHECK, "coverage_is_dated_ahead",
    ),
    Attack("who paid is forgotten", "DELETE FROM coverage WHERE payer <> 3", CHECK, "coverage_is_dated_ahead"),
    Attack("cover of another plan", "UPDATE coverage SET source_id = 7"),
    Attack("cover from an earlier moment", "UPDATE coverage SET valid_from = valid_from - interval '1 day'"),
    Attack("empty who pays", "TRUNCATE coverage"),
    Attack(
        "a plan charged to a card while a payment is disputed",
        "INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, checkout_url,"
        " card_brand, card_last4, failure_code, failure_message, method_id) SELECT gen_random_uuid(), {acme},"
        " 'subscription', 500, 'created', 1, 'k', now(), '', '', '', '', '', id FROM payment_method LIMIT 1",
        CHECK, "payment_intent_not_while_disputed",
    ),
]  # fmt: skip

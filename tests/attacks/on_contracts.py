"""Attacks on reserved capacity: what was offered, accepted, paid and covered."""

from tests.attacks.attack import CHECK, FOREIGN, OVERLAP, Attack

RUNNING = "(SELECT id FROM contract WHERE state = 'active')"
DRAFT = "(SELECT id FROM contract WHERE state = 'draft')"
MONTH = "(SELECT min(id) FROM contract_month)"
MODEL = "(SELECT min(model_id) FROM contract_model)"
FORWARD = "contract_moves_forward"

ATTACKS = [
    Attack(
        "a contract that was never drafted",
        "INSERT INTO contract (public_id, org_id, state, tokens, price_usd, overage_usd, amount_cents, overage_limit_cents,"
        " starts_on, ends_on, drafted_at, active_from, ended_as) SELECT gen_random_uuid(), org_id, state, tokens, price_usd,"
        f" overage_usd, amount_cents, 0, starts_on, ends_on, drafted_at, active_from, '' FROM contract WHERE id = {RUNNING}",
        CHECK, "contract_begins_as_draft",
    ),
    Attack(
        "a contract below its price",
        "INSERT INTO contract (public_id, org_id, state, tokens, price_usd, overage_usd, amount_cents, overage_limit_cents,"
        " starts_on, ends_on, drafted_at, ended_as) SELECT gen_random_uuid(), org_id, 'draft', tokens, price_usd,"
        f" overage_usd, 501, 0, starts_on, ends_on, drafted_at, '' FROM contract WHERE id = {RUNNING}",
        CHECK, "contract_adds_up",
    ),
    Attack(
        "a contract for ever",
        "INSERT INTO contract (public_id, org_id, state, tokens, price_usd, overage_usd, amount_cents, overage_limit_cents,"
        " starts_on, ends_on, drafted_at, ended_as) SELECT gen_random_uuid(), org_id, 'draft', tokens, price_usd,"
        f" overage_usd, amount_cents, 0, starts_on, '2099-01-01', drafted_at, '' FROM contract WHERE id = {RUNNING}",
        CHECK, "contract_of_twelve_months",
    ),
    Attack("a contract at another price", "UPDATE contract SET price_usd = 0.1"),
    Attack("a contract that goes back", f"UPDATE contract SET state = 'draft' WHERE id = {RUNNING}", CHECK, FORWARD),
    Attack(
        "a contract that starts anew",
        f"UPDATE contract SET starts_on = '2030-01-01', ends_on = '2031-01-01' WHERE id = {RUNNING}",
        CHECK, FORWARD,
    ),
    Attack(
        "a contract that nobody accepted",
        f"UPDATE contract SET state = 'offered' WHERE id = {DRAFT};"
        " UPDATE contract SET state = 'accepted' WHERE state = 'offered'",
        CHECK, "contract_accepted_in_words",
    ),
    Attack(
        "a contract ended by one",
        f"UPDATE contract SET state = 'ended', ended_as = 'unpaid', over_at = now() WHERE id = {RUNNING}",
        CHECK, "contract_ended_by_two",
    ),
    Attack("delete contracts", "DELETE FROM contract"),
    Attack("empty contracts", "TRUNCATE contract CASCADE"),
    Attack("other words", "UPDATE contract_acceptance SET text = 'Free of charge.'"),
    Attack("no acceptance", "DELETE FROM contract_acceptance"),
    Attack(
        "words with another hash",
        "INSERT INTO contract_acceptance (contract_id, org_id, by_id, name, at, wording, text, digest)"
        f" SELECT id, org_id, {{alice}}, 'Alice', now(), '1', 'Free', sha256('x') FROM contract WHERE id = {DRAFT}",
        CHECK, "contract_acceptance_hashed",
    ),
    Attack("who did it", "UPDATE contract_act SET by_id = NULL"),
    Attack("a month that costs less", "UPDATE contract_month SET amount_cents = 1"),
    Attack("a month that begins again", "UPDATE contract_month SET begun_at = now()", CHECK, "contract_month_moves_forward"),
    Attack("forget a month", "DELETE FROM contract_month"),
    Attack("tokens of NaN", "UPDATE contract_month SET returned = 'NaN'", CHECK, "contract_month_bounded"),
    Attack(
        "a line of another organization",
        "INSERT INTO contract_line (org_id, month_id, model_id, hour, tokens, closes_at)"
        f" SELECT {{charlies}}, {MONTH}, {MODEL}, now(), 1, now()",
        FOREIGN, "contract_line_same_organization",
    ),
    Attack("more than was due", "UPDATE contract_due SET amount_cents = amount_cents + 1", CHECK,
        "contract_due_moves_forward"),
    Attack("due again", "UPDATE contract_due SET stage = 'due', next_try_at = now()", CHECK, "contract_due_moves_forward"),
    Attack(
        "paid by somebody else",
        "UPDATE contract_due SET intent_id = '{paid}'",
        FOREIGN, "contract_due_intent_same_organization",
    ),
    Attack("forget what is due", "DELETE FROM contract_due"),
    Attack("a model reserved twice", f"UPDATE contract_model SET live = true WHERE contract_id = {DRAFT}", OVERLAP,
        "contract_model_reserved"),
    Attack("another speed", "UPDATE contract_model SET tokens_per_minute = 1000000000"),
    Attack(
        "a plan under a contract",
        "INSERT INTO coverage (org_id, model_id, payer, source_id, valid_from, valid_to)"
        f" SELECT org_id, {MODEL}, 3, 1, now() + interval '40 days', now() + interval '50 days' FROM contract"
        f" WHERE id = {RUNNING}",
        OVERLAP, "coverage_reserved_by_contract",
    ),
    Attack("cover that ends later", "UPDATE coverage SET valid_to = valid_to + interval '1 year' WHERE payer = 4", CHECK,
        "coverage_is_dated_ahead"),
    Attack("another past of who paid", "UPDATE coverage SET valid_to = valid_to - interval '1 s' WHERE payer <> 4", CHECK,
        "coverage_is_dated_ahead"),
    Attack("cover of somebody else", "UPDATE coverage SET org_id = {charlies} WHERE payer = 4"),
    Attack("no cover", "DELETE FROM coverage WHERE payer = 4", CHECK, "coverage_is_dated_ahead"),
]  # fmt: skip

"""What could be done to the books by somebody who owns the tables, and which checks must find it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Corruption:
    """What is done, and which checks must find it."""

    name: str
    sql: str
    found_by: set[str]


A_TRANSFER = "(SELECT id FROM transfer WHERE org_id = %(org)s AND seq = 3 ORDER BY id LIMIT 1)"
LAST = "(SELECT id FROM transfer WHERE org_id = %(org)s ORDER BY period DESC, seq DESC LIMIT 1)"
A_GRANT = "(SELECT id FROM account WHERE org_id = %(org)s AND code = 2000 AND NOT exhausted ORDER BY id DESC LIMIT 1)"
A_REFUND = "(SELECT id FROM refund WHERE org_id = %(org)s AND state = '{}' ORDER BY created_at, id LIMIT 1)"
A_DISPUTE = "(SELECT id FROM dispute WHERE org_id = %(org)s AND status = '{}' ORDER BY id LIMIT 1)"
CHAIN = {"transfer_hash", "transfer_rehash"}
A_CHARGE = """
INSERT INTO payment_intent (id, org_id, amount_cents, state, key, purpose, attempt, created_at, checkout_url, card_brand,
    card_last4, failure_code, failure_message, method_id)"""
CHARGED_WITH = "'recharge', 1, '2026-03-11', '', '', '', '', '', 1"
ADDED = """
INSERT INTO card_setup (id, org_id, state, key, created_by_id, created_at, deadline, settled_at, page_url, failure_code,
    method_id)
VALUES (gen_random_uuid(), %(org)s, '{state}', 'planted', 1, '2026-03-11', '2026-03-11', NULL, '', '', {card})"""
RECHARGED = f"""
WITH agreed AS (
    INSERT INTO recharge_consent (org_id, user_id, at, wording, threshold_cents, recharge_to_cents, cap_cents, per_day, card)
    VALUES (%(org)s, 1, '2026-03-10', '', 2000, 5000, {{cap}}, 5, '') RETURNING id
), charged AS ({A_CHARGE} SELECT gen_random_uuid(), %(org)s, 3051, 'processing', 'planted', {CHARGED_WITH} RETURNING id)
INSERT INTO recharge_attempt (id, org_id, intent_id, consent_id, at, balance, pending_cents, threshold_cents,
    recharge_to_cents, amount_cents, capped, ladder, rung)
SELECT gen_random_uuid(), %(org)s, charged.id, agreed.id, '2026-03-11', {{balance}}, 0, 2000, 5000, 3051, false,
    gen_random_uuid(), 0 FROM agreed, charged"""
"""A recharge of 30.51 to 50.00, below 20.00."""

CORRUPTIONS = [
    Corruption(
        "an amount altered",
        f"UPDATE transfer SET amount = amount + 1 WHERE id = {A_TRANSFER}",
        CHAIN | {"account_balance"},
    ),
    Corruption(
        "a hash altered",
        f"UPDATE transfer SET hash = sha256('x') WHERE id = {A_TRANSFER}",
        CHAIN,
    ),
    Corruption(
        "a moment altered",
        f"UPDATE transfer SET effective_at = effective_at - interval '1 microsecond' WHERE id = {A_TRANSFER}",
        CHAIN,
    ),
    Corruption(
        "a transfer removed",
        f"DELETE FROM transfer WHERE id = {A_TRANSFER}",
        CHAIN | {"transfer_numbers", "account_balance"},
    ),
    Corruption(
        "the last transfer removed",
        f"DELETE FROM transfer WHERE id = {LAST}",
        {"period_head", "account_balance"},
    ),
    Corruption(
        "a gap in the numbers, hashed as if it were right",
        f"""
        UPDATE transfer SET seq = seq + 1 WHERE id = {LAST};
        UPDATE transfer t SET hash = sha256(p.hash || convert_to(transfer_canonical(
            t.org_id, t.period, t.seq, d.code, t.debit_id, c.code, t.credit_id, t.amount, t.reason, t.key, t.cause_kind,
            t.cause_id, t.effective_at, t.posted_at, t.hour, t.model_id, t.note_digest), 'UTF8'))
        FROM transfer p, account d, account c
        WHERE t.id = {LAST} AND p.org_id = t.org_id AND p.period = t.period AND p.seq = t.seq - 2
            AND d.id = t.debit_id AND c.id = t.credit_id""",
        {"transfer_numbers", "period_head"},
    ),
    Corruption(
        "an account's balance moved",
        f"UPDATE account SET balance = balance - 0.000000000001 WHERE id = {A_GRANT}",
        {"account_balance", "wallet_sums"},
    ),
    Corruption(
        "a wallet moved",
        "UPDATE wallet SET posted = posted + 1 WHERE org_id = %(org)s",
        {"wallet_sums", "credit_used"},
    ),
    Corruption(
        "an open line of an account that is not there",
        """
        INSERT INTO accrual (org_id, account_id, model_id, hour, amount, closes_at)
        SELECT %(org)s, 999999999, model_id, hour, 1, closes_at FROM accrual WHERE org_id = %(org)s LIMIT 1""",
        {"accrual_line", "usage_in_ledger"},
    ),
    Corruption(
        "an open line lost",
        "DELETE FROM accrual WHERE org_id = %(org)s",
        {"account_accrued", "usage_in_ledger"},
    ),
    Corruption(
        "a grant without its payment",
        """
        DELETE FROM payment_intent WHERE org_id = %(org)s
            AND id NOT IN (SELECT intent_id FROM refund UNION SELECT intent_id FROM dispute)""",
        {"grant_without_payment", "money_without_payment"},
    ),
    Corruption(
        "a payment without its grant",
        """
        INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, settled_at,
            checkout_url, provider_id, charge_id, charged_at, card_brand, card_last4, failure_code, failure_message)
        SELECT gen_random_uuid(), org_id, purpose, 500, state, 1, 'planted', created_at, settled_at, '',
            'pi_planted', 'ch_planted', charged_at, '', '', '', '' FROM payment_intent WHERE org_id = %(org)s LIMIT 1""",
        {"payment_without_grant"},
    ),
    Corruption(
        "a grant's origin removed",
        f"DELETE FROM credit_grant WHERE account_id = {A_GRANT}",
        {"grant_funding", "payment_without_grant"},
    ),
    Corruption(
        "an hour of usage changed",
        "UPDATE usage_hour SET cost = cost + 0.5 WHERE org_id = %(org)s AND hour = (SELECT max(hour) FROM usage_hour)",
        {"hour_of_events", "hour_cost", "hour_of_minutes", "usage_in_ledger", "credit_used", "key_spend"},
    ),
    Corruption(
        "a minute of usage changed",
        """
        UPDATE usage_minute SET output_tokens = output_tokens + 1
        WHERE org_id = %(org)s AND minute = (SELECT max(minute) FROM usage_minute WHERE org_id = %(org)s)""",
        {"minute_of_events", "hour_of_minutes"},
    ),
    Corruption(
        "an event removed",
        "DELETE FROM usage_event WHERE id = (SELECT id FROM usage_event WHERE org_id = %(org)s ORDER BY ts DESC LIMIT 1)",
        {"hour_of_events", "minute_of_events"},
    ),
    Corruption(
        "an event put on another organization's key",
        """
        UPDATE usage_event SET key_id = (SELECT id FROM api_key WHERE org_id <> %(org)s LIMIT 1)
        WHERE id = (SELECT id FROM usage_event WHERE org_id = %(org)s ORDER BY ts DESC LIMIT 1)""",
        {"event_key", "hour_of_events"},
    ),
    Corruption(
        "a price changed after the fact",
        "UPDATE price SET input_usd = input_usd * 2",
        {"hour_of_events", "minute_of_events", "hour_cost"},
    ),
    Corruption(
        "a rest left on a grant that ended long ago",
        f"UPDATE account SET expires_at = '2026-03-01' WHERE id = {A_GRANT}",
        {"expired_with_rest"},
    ),
    Corruption(
        "a month's head changed",
        "UPDATE ledger_period SET head = sha256('x') WHERE org_id = %(org)s",
        {"period_head"},
    ),
    Corruption(
        "the contra of a promotion removed",
        """
        DELETE FROM transfer
        WHERE id = (SELECT id FROM transfer WHERE org_id = %(org)s AND reason = 'promotion_used' ORDER BY id LIMIT 1)""",
        {"promo_mirror", "transfer_numbers"},
    ),
    Corruption(
        "another organization's account moved",
        """
        UPDATE transfer SET debit_id = (SELECT id FROM account WHERE code = 2000 AND org_id NOT IN (0, %(org)s) LIMIT 1)
        WHERE id = (SELECT id FROM transfer WHERE org_id = %(org)s AND reason = 'usage' ORDER BY id LIMIT 1)""",
        CHAIN | {"transfer_accounts", "account_balance"},
    ),
    Corruption(
        "a transfer after its month was closed",
        "UPDATE ledger_period SET closed_at = '2026-03-10T12:31Z' WHERE org_id = %(org)s",
        {"closed_month"},
    ),
    Corruption(
        "an overdraft beside credit",
        """
        UPDATE account SET balance = balance - 1 WHERE org_id = %(org)s AND code = 1100;
        UPDATE wallet SET posted = posted - 1 WHERE org_id = %(org)s""",
        {"overdraft_beside_credit", "account_balance"},
    ),
    Corruption(
        "what a key spent changed",
        "UPDATE key_spend SET spent = spent - 0.01",
        {"key_spend"},
    ),
    Corruption(
        "a reversal whose money came from nowhere",
        "UPDATE usage_reversal SET cost = cost + 1",
        {"reversal_posted"},
    ),
    Corruption(
        "usage that was accepted and never charged",
        """
        WITH taken AS (DELETE FROM usage_minute WHERE org_id = %(org)s RETURNING *)
        INSERT INTO usage_delta (org_id, key_id, minute, price_id, model_id, payer, events, input_tokens, cached_tokens,
                                 output_tokens, late_tokens)
        SELECT org_id, 1, minute, 1, model_id, 2, events, input_tokens, cached_tokens, output_tokens, 0 FROM taken""",
        {"usage_waiting"},
    ),
    Corruption(
        "a payment nobody asked about",
        """
        INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, checkout_url,
            card_brand, card_last4, failure_code, failure_message)
        VALUES (gen_random_uuid(), %(org)s, 'credits', 500, 'unknown', 1, 'planted', '2026-03-11', '', '', '', '', '')""",
        {"payment_stale"},
    ),
    Corruption(
        "a card that was added and is not there", ADDED.format(state="saved", card="999999999"), {"card_setup_saved"}
    ),
    Corruption(
        "a card that was added to another organization",
        f"""
        WITH theirs AS (
            INSERT INTO payment_method (org_id, stripe_id, brand, last4, exp_month, exp_year, created_at)
            SELECT min(org_id), 'pm_planted', 'visa', '4242', 12, 2034, '2026-03-11' FROM wallet
            WHERE org_id NOT IN (0, %(org)s) RETURNING id)
        {ADDED.format(state="saved", card="(SELECT id FROM theirs)")}""",
        {"card_setup_saved"},
    ),
    Corruption(
        "a page for a card that nobody asked about", ADDED.format(state="waiting", card="NULL"), {"card_setup_stale"}
    ),
    Corruption(
        "a message nobody works on",
        """
        INSERT INTO inbox_event (provider, provider_event_id, type, body, received_at, state, tries, next_try_at, error)
        VALUES ('stripe', 'evt_1', 'charge.succeeded', '{}', '2026-03-11', 'new', 0, '2026-03-11', '')""",
        {"inbox_stuck"},
    ),
    Corruption(
        "a note rewritten",
        f"""
        INSERT INTO transfer_note (transfer_id, salt, text) VALUES ({A_TRANSFER}, '\\x00', 'another story')""",
        {"transfer_note"},
    ),
    Corruption(
        "a refund that took nothing",
        """
        DELETE FROM transfer WHERE id = (
            SELECT id FROM transfer WHERE org_id = %(org)s AND cause_kind = 'refund' AND key LIKE '%%:hold' LIMIT 1)""",
        {"refund_taken", "account_balance"},
    ),
    Corruption(
        "a refund that had arrived put back on its way",
        f"UPDATE refund SET state = 'pending' WHERE id = {A_REFUND.format('succeeded')}",
        {"refund_outcome", "refund_pending"},
    ),
    Corruption(
        "a refund on its way called arrived",
        f"UPDATE refund SET state = 'succeeded' WHERE id = {A_REFUND.format('pending')}",
        {"refund_outcome", "refund_pending"},
    ),
    Corruption(
        "a refund that failed called arrived",
        f"UPDATE refund SET state = 'succeeded' WHERE id = {A_REFUND.format('failed')}",
        {"refund_outcome"},
    ),
    Corruption(
        "a refund removed",
        f"DELETE FROM refund WHERE id = {A_REFUND.format('succeeded')}",
        {"refund_taken", "money_without_payment"},
    ),
    Corruption(
        "a refund made larger by a cent",
        f"UPDATE refund SET amount_cents = amount_cents + 1 WHERE id = {A_REFUND.format('pending')}",
        {"refund_taken", "refund_pending"},
    ),
    Corruption(
        "a refund given to another organization",
        f"""
        UPDATE refund SET org_id = (SELECT min(org_id) FROM wallet WHERE org_id NOT IN (0, %(org)s))
        WHERE id = {A_REFUND.format('succeeded')}""",
        {"reversal_of_payment", "refund_taken", "money_without_payment"},
    ),
    Corruption(
        "more refunded than was paid",
        f"UPDATE refund SET amount_cents = 1000000 WHERE id = {A_REFUND.format('succeeded')}",
        {"refund_within_payment", "refund_taken", "refund_outcome"},
    ),
    Corruption(
        "a refund nobody asked about",
        f"UPDATE refund SET state = 'unknown', created_at = '2026-03-11' WHERE id = {A_REFUND.format('pending')}",
        {"refund_stale"},
    ),
    Corruption(
        "what waits for refunds moved",
        "UPDATE account SET balance = balance + 1 WHERE org_id = %(org)s AND code = 2300",
        {"refund_pending", "account_balance"},
    ),
    Corruption(
        "a debt for a refund that was no fraud",
        "UPDATE refund SET stripe_reason = 'duplicate' WHERE org_id = %(org)s AND stripe_reason = 'fraudulent'",
        {"debt_cause"},
    ),
    Corruption(
        "money gone for nobody",
        """
        UPDATE transfer SET cause_kind = 'gift'
        WHERE id = (SELECT id FROM transfer WHERE org_id = %(org)s AND reason = 'dispute_withdrawn' ORDER BY id LIMIT 1)""",
        CHAIN | {"money_without_payment", "dispute_moved"},
    ),
    Corruption(
        "a dispute's movement removed",
        f"DELETE FROM dispute_movement WHERE dispute_id = {A_DISPUTE.format('lost')}",
        {"dispute_moved"},
    ),
    Corruption(
        "a dispute's movement a cent smaller",
        f"UPDATE dispute_movement SET amount_cents = amount_cents + 1 WHERE dispute_id = {A_DISPUTE.format('lost')}",
        {"dispute_moved"},
    ),
    Corruption(
        "a dispute that took more than was paid",
        f"UPDATE dispute_movement SET amount_cents = amount_cents * 2 WHERE dispute_id = {A_DISPUTE.format('lost')}",
        {"dispute_within_payment", "dispute_moved"},
    ),
    Corruption(
        "a dispute removed",
        f"""
        DELETE FROM dispute_movement WHERE dispute_id = {A_DISPUTE.format('lost')};
        DELETE FROM dispute WHERE id = {A_DISPUTE.format('lost')}""",
        {"dispute_moved", "money_without_payment"},
    ),
    Corruption(
        "a dispute closed by hand",
        f"UPDATE dispute SET status = 'lost', closed_at = created_at WHERE id = {A_DISPUTE.format('needs_response')}",
        {"grant_held"},
    ),
    Corruption(
        "disputed credit released",
        "UPDATE account SET held = false, held_since = NULL WHERE org_id = %(org)s AND held",
        {"grant_held"},
    ),
    Corruption(
        "credit held for nothing",
        f"UPDATE account SET held = true WHERE id = {A_GRANT}",
        {"grant_held"},
    ),
    Corruption(
        "a card charged while a payment was disputed",
        f"""
        INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, checkout_url,
            card_brand, card_last4, failure_code, failure_message, method_id)
        SELECT gen_random_uuid(), org_id, 'recharge', 500, 'failed', 1, 'planted', created_at + interval '1 hour', '', '',
            '', '', '', 1 FROM dispute WHERE id = {A_DISPUTE.format('needs_response')}""",
        {"charged_while_disputed"},
    ),
    Corruption(
        "a card charged for no reason",
        f"{A_CHARGE} SELECT gen_random_uuid(), %(org)s, 500, 'failed', 'planted', {CHARGED_WITH}",
        {"recharge_unexplained"},
    ),
    Corruption("more charged than was missing", RECHARGED.format(cap="NULL", balance="19.5"), {"recharge_too_much"}),
    Corruption("charged above the threshold", RECHARGED.format(cap="NULL", balance="20"), {"recharge_too_much"}),
    Corruption("more charged in a month than agreed", RECHARGED.format(cap="3049", balance="19.49"), {"recharge_over_cap"}),
    Corruption(
        "two cards charged at once",
        f"""
        {A_CHARGE} SELECT gen_random_uuid(), %(org)s, 500, 'created', 'planted 1', {CHARGED_WITH};
        DROP INDEX payment_intent_one_off_session;
        {A_CHARGE} SELECT gen_random_uuid(), %(org)s, 500, 'created', 'planted 2', {CHARGED_WITH}""",
        {"charges_at_once", "recharge_unexplained"},
    ),
]  # fmt: skip

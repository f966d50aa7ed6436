"""Attacks on payments, usage, prices, keys and people."""

from tests.attacks.attack import CHECK, FOREIGN, KEPT, OVERLAP, UNIQUE, Attack

PAYMENTS = [
    Attack("delete payments", "DELETE FROM payment_intent"),
    Attack("empty payments", "TRUNCATE payment_intent CASCADE"),
    Attack(
        "a paid payment that goes back",
        "UPDATE payment_intent SET state = 'created' WHERE id = '{paid}'",
        CHECK, "payment_intent_moves_forward",
    ),
    Attack(
        "a payment of another amount",
        "UPDATE payment_intent SET amount_cents = amount_cents * 10 WHERE id = '{paid}'",
        CHECK, "payment_intent_moves_forward",
    ),
    Attack(
        "a payment of another organization",
        "UPDATE payment_intent SET org_id = {charlies} WHERE id = '{paid}'",
        CHECK, "payment_intent_moves_forward",
    ),
    Attack(
        "a payment with another charge",
        "UPDATE payment_intent SET provider_id = 'pi_stolen' WHERE id = '{paid}'",
        CHECK, "payment_intent_moves_forward",
    ),
    Attack(
        "a payment paid by nobody",
        "UPDATE payment_intent SET state = 'succeeded' WHERE id = '{open}'",
        CHECK, "payment_intent_paid_has_charge",
    ),
    Attack(
        "a state nobody knows",
        "UPDATE payment_intent SET state = 'paid' WHERE id = '{open}'",
        CHECK, "payment_intent_state_known",
    ),
    Attack("a refund of another amount", "UPDATE refund SET amount_cents = 1", CHECK, "refund_moves_forward"),
    Attack("a refund that goes back", "UPDATE refund SET state = 'asked'", CHECK, "refund_moves_forward"),
    Attack("a refund of another payment", "UPDATE refund SET intent_id = '{open}'", CHECK, "refund_moves_forward"),
    Attack("delete refunds", "DELETE FROM refund"),
    Attack("empty refunds", "TRUNCATE refund"),
    Attack(
        "a refund of another organization's payment",
        "INSERT INTO refund (id, org_id, intent_id, amount_cents, state, attempt, key, reason, stripe_reason, created_at,"
        " failure_code) VALUES (gen_random_uuid(), {charlies}, '{paid}', 100, 'asked', 1, 'k', '', '', now(), '')",
        FOREIGN, "refund_same_organization",
    ),
    Attack(
        "a refund of nothing",
        "INSERT INTO refund (id, org_id, intent_id, amount_cents, state, attempt, key, reason, stripe_reason, created_at,"
        " failure_code) VALUES (gen_random_uuid(), {acme}, '{paid}', 0, 'asked', 1, 'k', '', '', now(), '')",
        CHECK, "refund_amount_bounded",
    ),
    Attack(
        "a refund of Stripe's twice",
        "INSERT INTO refund (id, org_id, intent_id, amount_cents, state, attempt, key, reason, stripe_reason, created_at,"
        " failure_code, provider_id) SELECT gen_random_uuid(), org_id, intent_id, 1, 'pending', 1, 'k', '', '', now(), '',"
        " provider_id FROM refund LIMIT 1",
        UNIQUE, "refund_provider_id_key",
    ),
    Attack(
        "a dispute that was never decided is closed",
        "UPDATE dispute SET closed_at = now()",
        CHECK, "dispute_closed_is_decided",
    ),
    Attack(
        "a chargeback that becomes an inquiry",
        "UPDATE dispute SET status = 'warning_needs_response'",
        CHECK, "dispute_moves_forward",
    ),
    Attack("a dispute under another name", "UPDATE dispute SET provider_id = 'dp_other'", CHECK, "dispute_moves_forward"),
    Attack("delete disputes", "DELETE FROM dispute"),
    Attack("decide on a month anew", "UPDATE settlement SET decided = 'small'"),
    Attack("delete settlements", "DELETE FROM settlement"),
    Attack("empty settlements", "TRUNCATE settlement"),
    Attack(
        "a settlement that is over goes on", "UPDATE settlement SET stage = 'unpaid'", CHECK,
        "settlement_keeps_what_was_decided",
    ),
    Attack(
        "settle a month twice",
        "INSERT INTO settlement (org_id, period, closed_at, overdraft_at_end, overdraft_at_closing, ceiling, decided,"
        " charge_cents, written_off, written_off_as, carried, stage, tries) SELECT org_id, period, closed_at, 0, 0, 0,"
        " 'nothing', 0, 0, '', 0, 'over', 0 FROM settlement LIMIT 1",
        UNIQUE, "settlement_once",
    ),
    Attack(
        "charge more than was due",
        "INSERT INTO settlement (org_id, period, closed_at, overdraft_at_end, overdraft_at_closing, ceiling, decided,"
        " charge_cents, written_off, written_off_as, carried, stage, tries, next_try_at) SELECT org_id,"
        " '{month}', closed_at, 1, 1, 10, 'charge', 500, 0, '', 0, 'due', 0, now() FROM settlement LIMIT 1",
        CHECK, "settlement_adds_up",
    ),
    Attack("rewrite a ceiling", "UPDATE overdraft_ceiling SET usd = 900"),
    Attack("delete ceilings", "DELETE FROM overdraft_ceiling"),
    Attack("empty ceilings", "TRUNCATE overdraft_ceiling"),
    Attack(
        "a ceiling above the highest",
        "INSERT INTO overdraft_ceiling (org_id, usd, reason, key, set_by_id, set_at)"
        " VALUES ({acme}, 1000.01, 'because', 'k', {alice}, now())",
        CHECK, "overdraft_ceiling_bounded",
    ),
    Attack(
        "a ceiling that is no number",
        "INSERT INTO overdraft_ceiling (org_id, usd, reason, key, set_by_id, set_at)"
        " VALUES ({acme}, 'NaN', 'because', 'k', {alice}, now())",
        CHECK, "overdraft_ceiling_bounded",
    ),
    Attack(
        "a ceiling for no reason",
        "INSERT INTO overdraft_ceiling (org_id, usd, reason, key, set_by_id, set_at)"
        " VALUES ({acme}, 10, '', 'k', {alice}, now())",
        CHECK, "overdraft_ceiling_has_reason",
    ),
    Attack(
        "close this month early",
        "SELECT ledger_period_close(ARRAY[{acme}::bigint], '{month}', now())",
        CHECK, "ledger_period_in_order",
    ),
    Attack(
        "close a month that is closed",
        "SELECT ledger_period_close(ARRAY[{acme}::bigint], '{closed}', now())",
        CHECK, "ledger_period_moves_forward",
    ),
    Attack("rewrite what a dispute moved", "UPDATE dispute_movement SET amount_cents = -1"),
    Attack("delete what a dispute moved", "DELETE FROM dispute_movement"),
    Attack("empty what disputes moved", "TRUNCATE dispute_movement"),
    Attack(
        "a movement twice",
        "INSERT INTO dispute_movement SELECT * FROM dispute_movement LIMIT 1",
        UNIQUE, "dispute_movement_pkey",
    ),
    Attack(
        "a movement in another organization",
        "INSERT INTO dispute_movement (id, org_id, dispute_id, amount_cents, at, posted_at)"
        " SELECT 'txn_theirs', {charlies}, id, -100, now(), now() FROM dispute",
        FOREIGN, "dispute_movement_same_organization",
    ),
    Attack(
        "charge a card while a payment is disputed",
        "INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, checkout_url,"
        " card_brand, card_last4, failure_code, failure_message, method_id) SELECT gen_random_uuid(), {acme},"
        " 'recharge', 500, 'created', 1, 'k', now(), '', '', '', '', '', id FROM payment_method LIMIT 1",
        CHECK, "payment_intent_not_while_disputed",
    ),
    Attack(
        "charge no card in particular",
        "INSERT INTO payment_intent (id, org_id, purpose, amount_cents, state, attempt, key, created_at, checkout_url,"
        " card_brand, card_last4, failure_code, failure_message)"
        " VALUES (gen_random_uuid(), {charlies}, 'recharge', 500, 'created', 1, 'k', now(), '', '', '', '', '')",
        CHECK, "payment_intent_off_session_has_card",
    ),
    Attack("another message from Stripe than came", "UPDATE inbox_event SET body = '{{}}'"),
    Attack("delete messages", "DELETE FROM inbox_event"),
    Attack(
        "a message a second time",
        "INSERT INTO inbox_event (provider, provider_event_id, type, body, received_at, state, tries, next_try_at, error)"
        " SELECT provider, provider_event_id, type, body, now(), 'new', 0, now(), '' FROM inbox_event",
        UNIQUE, "inbox_event_once",
    ),
]  # fmt: skip

EVENT = """
INSERT INTO usage_event (ts, occurred_at, accepted_at, org_id, key_id, input_tokens, cached_tokens, output_tokens,
    price_id, model_id, gateway_id, payer, id)
SELECT ts, occurred_at, accepted_at, org_id, key_id, {tokens}, cached_tokens, output_tokens, price_id, model_id,
    gateway_id, payer, {id} FROM usage_event ORDER BY ts LIMIT 1"""

USAGE = [
    Attack("rewrite usage", "UPDATE usage_event SET input_tokens = 0, cached_tokens = 0"),
    Attack("delete usage", "DELETE FROM usage_event"),
    Attack("empty usage", "TRUNCATE usage_event"),
    Attack("rewrite a day", "UPDATE {day} SET input_tokens = 0, cached_tokens = 0"),
    Attack("delete a day", "DELETE FROM {day}"),
    Attack("empty a day", "TRUNCATE {day}"),
    Attack(
        "write into a day past its parent",
        EVENT.replace("usage_event (", "{day} (").replace("{tokens}", "1000").replace("{id}", "gen_random_uuid()"),
    ),
    Attack("detach a day", "ALTER TABLE usage_event DETACH PARTITION {day}"),
    Attack("drop a day", "DROP TABLE {day}"),
    Attack("let recent days be dropped", "SELECT usage_partitions_drop(current_date)", "P0001"),
    Attack("an event twice", EVENT.replace("{tokens}", "1000").replace("{id}", "id"), UNIQUE, "{day}_ts_id_idx"),
    Attack(
        "negative usage",
        EVENT.replace("{tokens}", "-1").replace("{id}", "gen_random_uuid()"),
        CHECK,
        "usage_event_check",
    ),
    Attack("forget an event, so that it may come again", "DELETE FROM usage_seen", KEPT),
    Attack("an event that came at another time", "UPDATE usage_seen SET ts = '2020-01-01'"),
    Attack("rewrite what was taken back", "UPDATE usage_reversal SET cost = 1000"),
    Attack("delete what was taken back", "DELETE FROM usage_reversal"),
    Attack("use of NaN", "UPDATE usage_hour SET cost = 'NaN'", CHECK, "usage_hour_cost_bounded"),
    Attack("spending of NaN", "UPDATE key_spend SET spent = 'NaN'", CHECK, "key_spend_spent_bounded"),
    Attack("use of another organization", "UPDATE usage_hour SET org_id = {charlies}"),
]

PRICES = [
    Attack("another price for the past", "UPDATE price SET input_usd = 0"),
    Attack("a price withdrawn", "DELETE FROM price"),
    Attack("empty prices", "TRUNCATE price CASCADE"),
    Attack(
        "a price that begins in the past",
        "INSERT INTO price (model_id, valid_from, input_usd, cached_usd, output_usd)"
        " VALUES ({model}, '2020-01-01', 0, 0, 0)",
        CHECK, "price_follows_the_last",
    ),
    Attack(
        "a price of NaN",
        "INSERT INTO price (model_id, valid_from, input_usd, cached_usd, output_usd)"
        " VALUES ({model}, '2040-01-01', 'NaN', 0, 0)",
        CHECK, "price_bounded",
    ),
    Attack(
        "two payers at once",
        "INSERT INTO coverage (org_id, model_id, payer, valid_from, valid_to) VALUES"
        " ({acme}, {model}, 3, '2026-01-01', '2026-03-01'), ({acme}, {model}, 4, '2026-02-01', '2026-04-01')",
        OVERLAP, "coverage_never_overlaps",
    ),
    Attack("another payer for the past", "UPDATE coverage SET payer = 1"),
    Attack(
        "cover a span that ends before it begins",
        "INSERT INTO coverage (org_id, model_id, payer, valid_from, valid_to)"
        " VALUES ({acme}, 1, 4, '2026-03-01', '2026-01-01')",
        CHECK, "coverage_span_not_empty",
    ),
]  # fmt: skip

PEOPLE = [
    Attack("a revoked key that comes back", "UPDATE api_key SET revoked_at = NULL WHERE id = {revoked}", CHECK,
        "api_key_stays_what_it_is"),
    Attack("a key revoked at another time", "UPDATE api_key SET revoked_at = now() WHERE id = {revoked}", CHECK,
        "api_key_stays_what_it_is"),
    Attack("a key with another secret", "UPDATE api_key SET hash = sha256('mine') WHERE id = {key}"),
    Attack("a key of another organization", "UPDATE api_key SET org_id = {charlies} WHERE id = {key}"),
    Attack("delete keys", "DELETE FROM api_key"),
    Attack(
        "two keys with one secret",
        "INSERT INTO api_key (public_id, hash, prefix, last4, name, org_id) SELECT 'key_x', hash, prefix, last4, name,"
        " {charlies} FROM api_key WHERE id = {key}",
        UNIQUE, "api_key_hash_key",
    ),
    Attack("a cap of NaN", "UPDATE api_key SET cap_usd = 'NaN' WHERE id = {key}", CHECK, "api_key_cap_positive"),
    Attack("remove the last owner", "DELETE FROM membership WHERE org_id = {acme} AND role = 'owner'", CHECK,
        "membership_keeps_an_owner"),
    Attack("make the last owner a viewer", "UPDATE membership SET role = 'viewer' WHERE org_id = {acme}", CHECK,
        "membership_keeps_an_owner"),
    Attack("a role nobody knows", "UPDATE membership SET role = 'god' WHERE role <> 'owner'", CHECK,
        "membership_role_known"),
    Attack("take a membership along", "UPDATE membership SET org_id = {charlies} WHERE org_id = {acme}"),
    Attack("delete an organization that has money", "DELETE FROM organization WHERE id = {acme}"),
    Attack("delete whoever paid", "DELETE FROM app_user WHERE id = {alice}"),
    Attack("free use for a Team", "UPDATE organization SET kind = 'personal' WHERE id = {acme}", CHECK,
        "organization_keeps_its_kind"),
    Attack("an address that is none", "UPDATE organization SET slug = '../admin' WHERE id = {acme}", CHECK,
        "organization_slug_plain"),
    Attack("rewrite what staff did", "UPDATE django_admin_log SET change_message = ''"),
    Attack("forget a migration", "DELETE FROM django_migrations"),
]  # fmt: skip

ATTACKS = [*PAYMENTS, *USAGE, *PRICES, *PEOPLE]

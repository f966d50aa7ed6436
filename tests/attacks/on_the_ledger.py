"""Attacks on what is owed: accounts, transfers, grants, months."""

from tests.attacks.attack import (
    CHECK,
    FOREIGN,
    OUT_OF_RANGE,
    RULE,
    UNIQUE,
    Attack,
    transfer,
)

ROWS_ARE_FOR_EVER = [
    Attack(f"{words} {table}", sql)
    for table, change in {
        "transfer": "amount = amount + 1",
        "transfer_note": "text = 'another story'",
        "credit_grant": "payment_id = NULL, source = 'promotion'",
        "ledger_period": "closed_at = NULL, seq = 0",
        "statement": "hash = '', body = ''",
        "statement_party": "text = 'another name'",
        "receipt": "body = ''",
        "receipt_party": "text = 'another name'",
    }.items()
    for words, sql in {
        "rewrite": f"UPDATE {table} SET {change}",
        "delete from": f"DELETE FROM {table}",
        "empty": f"TRUNCATE {table} CASCADE",
    }.items()
]

ACCOUNTS = [
    Attack("raise a balance", "UPDATE account SET balance = balance + 1 WHERE id = {grant}"),
    Attack("make a debt of nothing", "UPDATE account SET balance = -100 WHERE id = {overdraft}"),
    Attack("raise what was granted", "UPDATE account SET granted = granted * 2 WHERE id = {grant}"),
    Attack("turn promotional credit into paid", "UPDATE account SET code = 2000 WHERE id = {promo}"),
    Attack("give a grant to another organization", "UPDATE account SET org_id = {charlies} WHERE id = {grant}"),
    Attack("move an account under another id", "UPDATE account SET id = 77 WHERE id = {grant}"),
    Attack("delete an account", "DELETE FROM account WHERE id = {grant}"),
    Attack("empty the accounts", "TRUNCATE account CASCADE"),
    Attack("raise what a wallet holds", "UPDATE wallet SET posted = posted + 1000 WHERE org_id = {acme}"),
    Attack("delete a wallet", "DELETE FROM wallet WHERE org_id = {acme}"),
    Attack("make a wallet", "INSERT INTO wallet (org_id, organization_id, posted) VALUES (999, 999, 100)"),
    Attack(
        "make an account with money in it",
        "INSERT INTO account (org_id, code, balance, accrued, granted, expires_at, exhausted, held)"
        " VALUES ({acme}, 2000, 100, 0, 100, '2030-01-01', false, false)",
        CHECK, "account_begins_empty",
    ),
    Attack(
        "make a debt that is credit",
        "INSERT INTO account (org_id, code, balance) VALUES ({acme}, 1120, 5)",
        CHECK, "account_begins_empty",
    ),
    Attack(
        "make a second overdraft",
        "INSERT INTO account (org_id, code) VALUES ({acme}, 1100)",
        UNIQUE, "account_once_per_wallet",
    ),
    Attack(
        "make an account nobody knows",
        "INSERT INTO account (org_id, code) VALUES ({acme}, 2001)",
        CHECK, "account_code_known",
    ),
    Attack(
        "make an organization an account of the house",
        "INSERT INTO account (org_id, code) VALUES ({acme}, 4000)",
        CHECK, "account_house_or_organization",
    ),
    Attack(
        "make a grant of NaN",
        "INSERT INTO account (org_id, code, granted, expires_at) VALUES ({acme}, 2000, 'NaN', '2030-01-01')",
        CHECK, "account_grant_within_granted",
    ),
    Attack(
        "make a grant without an end",
        "INSERT INTO account (org_id, code, granted) VALUES ({acme}, 2000, 5)",
        CHECK, "account_grant_within_granted",
    ),
    Attack(
        "choose an account's id",
        "INSERT INTO account (id, org_id, code, granted, expires_at) VALUES (77, {acme}, 2000, 5, '2030-01-01')",
    ),
    Attack(
        "let a grant end earlier",
        "UPDATE account SET expires_at = expires_at - interval '1 day' WHERE id = {grant}",
        CHECK, "account_ends_only_later",
    ),
    Attack(
        "let a grant end between two minutes",
        "UPDATE account SET expires_at = expires_at + interval '1 second' WHERE id = {grant}",
        CHECK, "account_expires_on_a_minute",
    ),
    Attack(
        "draw from what is spent",
        "UPDATE account SET exhausted = false WHERE id = {spent}",
        CHECK, "account_stays_exhausted",
    ),
    Attack(
        "call a grant spent that is not",
        "UPDATE account SET exhausted = true WHERE id = {grant}",
        CHECK, "account_grant_within_granted",
    ),
    Attack(
        "accrue more than there is",
        "UPDATE account SET accrued = balance + 1 WHERE id = {grant}",
        CHECK, "account_grant_within_granted",
    ),
    Attack("accrue less than nothing", "UPDATE account SET accrued = -1 WHERE id = {overdraft}", CHECK, "account_bounded"),
    Attack("accrue NaN", "UPDATE wallet SET accrued = 'NaN' WHERE org_id = {acme}", CHECK, "wallet_accrued_bounded"),
    Attack("hold an overdraft", "UPDATE account SET held = true WHERE id = {overdraft}", CHECK,
        "account_only_grants_expire"),
]  # fmt: skip

TRANSFERS = [
    Attack("a transfer with a wrong hash", transfer(hashed=False), RULE, "transfer_hash_wrong"),
    Attack("a transfer that skips a number", transfer(seq="100000"), RULE, "transfer_number_out_of_order"),
    Attack("a transfer with a number twice", transfer(seq="1"), UNIQUE, "transfer_numbered_once"),
    Attack("a transfer into a closed month", transfer(month="{closed}", seq="1000"), RULE, "transfer_into_closed_period"),
    Attack("a transfer out of a stranger's grant", transfer("{theirs}", "{grant}"), RULE, "transfer_foreign_account"),
    Attack("a transfer to a stranger", transfer("{grant}", "{theirs}"), RULE, "transfer_foreign_account"),
    Attack("a transfer in the middle of a month", transfer(month="{middle}", seq="1"), CHECK,
        "transfer_period_first_of_month"),
    Attack("a transfer of nothing", transfer(amount="0"), CHECK, "transfer_amount_positive"),
    Attack("a transfer of less than nothing", transfer(amount="-1"), CHECK, "transfer_amount_positive"),
    Attack("a transfer of NaN", transfer(amount="'NaN'"), CHECK, "transfer_amount_positive"),
    Attack("a transfer of infinity", transfer(amount="'Infinity'"), OUT_OF_RANGE),
    Attack("a transfer of ten trillion", transfer(amount="10000000000000"), CHECK, "transfer_amount_positive"),
    Attack("a transfer of too many digits", transfer(amount="1000000000000000"), OUT_OF_RANGE),
    Attack("a transfer of less than can be written", transfer(amount="0.0000000000001"), CHECK, "transfer_amount_positive"),
    Attack("a transfer to itself", transfer("{grant}", "{grant}"), CHECK, "transfer_between_two_accounts"),
    Attack("a cause a second time", transfer(key="{used_key}"), UNIQUE, "transfer_key_key"),
    Attack("a key that looks like two fields", transfer(key="pay:1|1"), CHECK, "transfer_no_separator"),
    Attack("a reason that looks like two fields", transfer(reason="a|b"), CHECK, "transfer_no_separator"),
    Attack("a grant overdrawn", transfer(amount="90000"), CHECK, "account_grant_within_granted"),
    Attack("a grant above what was granted", transfer("1000", "{grant}", "90000"), CHECK, "account_grant_within_granted"),
    Attack("an overdraft that turns into credit", transfer("1000", "{overdraft}"), CHECK, "account_debt_not_positive"),
    Attack("claw-back debt that turns into credit", transfer("1000", "{clawback}"), CHECK, "account_debt_not_positive"),
    Attack("a refund of what was not asked", transfer("{pending}", "1000"), CHECK, "account_liability_not_negative"),
    Attack(
        "choose a transfer's id",
        "INSERT INTO transfer (id, org_id, period, seq, debit_id, credit_id, amount, reason, key, cause_kind, cause_id,"
        " effective_at, posted_at, hash) SELECT 1000000, org_id, period, 99999, debit_id, credit_id, amount, reason, 'k',"
        " cause_kind, cause_id, effective_at, posted_at, hash FROM transfer LIMIT 1",
    ),
    Attack("copy transfers in", "COPY transfer FROM STDIN"),
    Attack("a second note on a transfer",
        "INSERT INTO transfer_note (transfer_id, salt, text) SELECT transfer_id, salt, 'x' FROM transfer_note LIMIT 1",
        UNIQUE, "transfer_note_pkey",
    ),
    Attack(
        "open a month by hand", "INSERT INTO ledger_period (org_id, period, seq, head) VALUES ({acme}, '2031-01-01', 9, '')"
    ),
]  # fmt: skip

GRANTS = [
    Attack(
        "credit for a payment a second time",
        "INSERT INTO account (org_id, code, granted, expires_at) VALUES ({acme}, 2000, 100, '2030-01-01');"
        " INSERT INTO credit_grant (account_id, org_id, source, title, payment_id, key, reason, issued_at) SELECT max(id),"
        " {acme}, 'purchase', 'Again', '{paid}', 'again', '', now() FROM account WHERE org_id = {acme}",
        UNIQUE, "credit_grant_payment_id_key",
    ),
    Attack(
        "bought credit without a payment",
        "INSERT INTO account (org_id, code, granted, expires_at) VALUES ({acme}, 2000, 100, '2030-01-01');"
        " INSERT INTO credit_grant (account_id, org_id, source, title, key, reason, issued_at) SELECT max(id), {acme},"
        " 'purchase', 'Free', 'free', '', now() FROM account WHERE org_id = {acme}",
        CHECK, "credit_grant_bought_has_payment",
    ),
    Attack(
        "credit from a source nobody knows",
        "INSERT INTO account (org_id, code, granted, expires_at) VALUES ({acme}, 2000, 100, '2030-01-01');"
        " INSERT INTO credit_grant (account_id, org_id, source, title, key, reason, issued_at) SELECT max(id), {acme},"
        " 'gift', 'Free', 'free', '', now() FROM account WHERE org_id = {acme}",
        CHECK, "credit_grant_source_known",
    ),
    Attack(
        "another organization's account as a grant",
        "INSERT INTO account (org_id, code, granted, expires_at) VALUES ({acme}, 2010, 100, '2030-01-01');"
        " INSERT INTO credit_grant (account_id, org_id, source, title, key, reason, issued_at) SELECT max(id), {charlies},"
        " 'promotion', 'Theirs', 'theirs', '', now() FROM account WHERE org_id = {acme}",
        FOREIGN, "credit_grant_same_organization",
    ),
    Attack(
        "usage on another organization's account",
        "INSERT INTO accrual (org_id, account_id, model_id, hour, amount, closes_at)"
        " VALUES ({charlies}, {grant}, {model}, '2026-01-01 00:00Z', 1, '2026-01-01 01:00Z')",
        FOREIGN, "accrual_same_organization",
    ),
    Attack(
        "usage of less than nothing",
        "INSERT INTO accrual (org_id, account_id, model_id, hour, amount, closes_at)"
        " VALUES ({acme}, {grant}, {model}, '2026-01-01 00:00Z', -1, '2026-01-01 01:00Z')",
        CHECK, "accrual_amount_positive",
    ),
    Attack("choose a line's id", "INSERT INTO accrual (id, org_id, account_id, model_id, hour, amount, closes_at)"
        " VALUES (1, {acme}, {grant}, {model}, '2026-01-01 00:00Z', 1, '2026-01-01 01:00Z')"),
    Attack("move a line to another hour", "UPDATE accrual SET hour = hour - interval '1 day'"),
    Attack("empty the open lines", "TRUNCATE accrual"),
]  # fmt: skip

TOLD = "INSERT INTO statement (org_id, period, number, layout, ledger_head, body, hash, issued_at)"
DOCUMENTS = [
    Attack(
        "a statement of an open month",
        f"{TOLD} VALUES ({{acme}}, '{{month}}', 1, 1, '', '', '', now())",
        CHECK, "statement_of_closed_month",
    ),
    Attack(
        "a statement under a number that was not given",
        f"{TOLD} VALUES ({{acme}}, '{{closed}}', 77, 1, '', '', '', now())",
        CHECK, "statement_numbered_next",
    ),
    Attack(
        "a statement with a hash that is not its own",
        f"UPDATE document_counter SET last = last + 1 WHERE series = 'statement'; {TOLD} SELECT {{acme}}, '{{closed}}',"
        " last, 1, '', '', '', now() FROM document_counter WHERE series = 'statement'",
        CHECK, "statement_hashed",
    ),
    Attack(
        "a receipt of what was not paid",
        "INSERT INTO receipt (intent_id, org_id, number, layout, body, issued_at)"
        " VALUES ('{open}', {acme}, 77, 1, '', now())",
        CHECK, "receipt_of_paid_payment",
    ),
    Attack(
        "leave a number out",
        "UPDATE document_counter SET last = last + 2",
        CHECK, "document_counter_counts",
    ),
    Attack(
        "give a number again",
        "UPDATE document_counter SET last = last - 1 WHERE series = 'receipt'",
        CHECK, "document_counter_counts",
    ),
    Attack("give no more numbers", "DELETE FROM document_counter"),
]  # fmt: skip

ATTACKS = [*DOCUMENTS, *ROWS_ARE_FOR_EVER, *ACCOUNTS, *TRANSFERS, *GRANTS]

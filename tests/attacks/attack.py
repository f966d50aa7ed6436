"""What an attack is, and the words that several of them share."""

from dataclasses import dataclass

DENIED = "42501"
KEPT = "23001"
CHECK, UNIQUE, FOREIGN, OVERLAP, RULE, OUT_OF_RANGE = "23514", "23505", "23503", "23P01", "23000", "22003"


@dataclass(frozen=True, slots=True)
class Attack:
    """`sql` is run and committed by the application's login; `{names}` in it are filled in from the books.

    `refused` is the SQLSTATE, and `by` the constraint or trigger that speaks. `nothing` = the statement is answered with a
    warning, or with no row at all, and does nothing.
    """

    name: str
    sql: str
    refused: str = DENIED
    by: str = ""
    nothing: bool = False


NEXT = "(SELECT coalesce(max(seq), 0) + 1 FROM transfer WHERE org_id = {acme} AND period = '{month}')"


def transfer(
    debit: str = "{grant}",
    credit: str = "4810",
    amount: str = "1",
    *,
    org: str = "{acme}",
    month: str = "{month}",
    seq: str = NEXT,
    key: str = "forged",
    reason: str = "goodwill",
    hashed: bool = True,
) -> str:
    """A transfer that is right in everything that is not told otherwise, its hash included."""
    right = """sha256(coalesce(p.head, decode(repeat('00', 32), 'hex')) || convert_to(transfer_canonical(
        x.org_id, x.period, x.seq, d.code, x.debit_id, c.code, x.credit_id, x.amount, x.reason, x.key, x.cause_kind,
        x.cause_id, x.effective_at, x.posted_at, NULL, NULL, NULL), 'UTF8'))"""
    made = right if hashed else "sha256('forged')"
    return f"""
    INSERT INTO transfer (org_id, period, seq, debit_id, credit_id, amount, reason, key, cause_kind, cause_id,
        effective_at, posted_at, hash)
    SELECT x.*, {made}
    FROM (SELECT {org}::bigint AS org_id, '{month}'::date AS period, {seq}::bigint AS seq, {debit}::bigint AS debit_id,
            {credit}::bigint AS credit_id, {amount}::numeric AS amount, '{reason}' AS reason, '{key}' AS key,
            'attack' AS cause_kind, '1' AS cause_id, '{{now}}'::timestamptz AS effective_at,
            '{{now}}'::timestamptz AS posted_at) x
    JOIN account d ON d.id = x.debit_id JOIN account c ON c.id = x.credit_id
    LEFT JOIN ledger_period p ON p.org_id = x.org_id AND p.period = x.period"""

"""Saved cards: who added one has it."""

from billing.ledger.audit import Check, ours

CHECKS = (
    Check(
        "card_setup_saved",
        "a card that was added is there exactly when it was saved, and is of the organization that added it",
        f"""
        SELECT s.org_id, s.id AS setup, s.state, s.method_id AS card, m.org_id AS card_of
        FROM card_setup s LEFT JOIN payment_method m ON m.id = s.method_id
        WHERE {ours("s.org_id")} AND coalesce(s.settled_at, s.created_at) >= %(since)s
            AND ((s.state = 'saved') <> (m.id IS NOT NULL) OR m.org_id <> s.org_id)""",
    ),
)

"""ARE THE BOOKS RIGHT? Asks PostgreSQL whether every promise holds, across all rooms, in SQL of its own.

Owns no table, writes nothing, shares no query with the code it checks. `books.py` is the door; `usage.py`, `payments.py`,
`reversals.py`, `recharges.py`, `settlement.py`, `contracts.py`, `statements.py` and `waiting.py` hold one kind of promise
each; those about the ledger alone are in `billing/ledger/audit.py` and `chains.py`.
"""

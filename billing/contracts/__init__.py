"""RESERVED CAPACITY: tokens that were promised by the month, whether they are used or not.

Owns contracts, what an owner accepted, their months and what is due for them. A contract has one pool of tokens per calendar
month over all its models, one price for every token in it and one beyond it; overage is never a property of an event, it is
worked out on the month's total (A7). Start reading at `terms.py` (pure), then `months.py` (what is due), `drawdown.py` (use
draws it down) and `collecting.py` (the card). It never touches credit: commitments and overage are charged to a card (A55).
"""

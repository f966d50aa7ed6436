"""Thirteen months in the life of many organizations, in minutes: the real code on real PostgreSQL, through the real doors.

One seed decides everything: who does what and when, what goes wrong, and every id. Stripe is the sandbox inside this
process; time is told. After each event the books are asked, each day all of them, and at the end, when nothing goes wrong
any more and everything has come to rest, they are held against what the simulation noted itself and Stripe's own books.

    running.py    READ FIRST: a seed from its first day to its verdict
    parties.py    who there is, with what habits              world.py      where they live: clock, doors, Stripe, database
    actions.py    what people do, one function each           trouble.py    what goes wrong, and how often
    standing_orders.py, saved_cards.py: what is charged without asking, and to what
    plans.py, contracts.py: what was promised by the month; promises.py: what of it was shown and told
    plans_kept.py: whether that is what happened
    gateways.py   what gateways report                        tally.py      the simulation's own books
    oracles.py    what must be true, asked of others          plants.py     bugs that this suite must find
    seeds.py      which seeds, on which scale                 keeping.py    those that failed once

A new action is a function `(world, party)` in `actions.py` and a habit in `parties.py`; a new task of the clock takes part
by itself. `make simulate SEEDS=20` runs twenty seeds; the last line is one JSON object.
"""

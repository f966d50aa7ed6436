"""Races: two or more actors at the same instant, each with a connection of its own, 200 rounds of each by `make money`.

`crew.py` starts the actors together; `arena.py` counts what went wrong; `guards.py` takes a guard away, for the control
that every race has: without what keeps it right it goes wrong, so the race is able to fail.
"""

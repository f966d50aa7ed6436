"""WAS PROMISED: plans. A subscription covers models for monthly periods of its own, anchored on the moment it began.

Owns subscriptions, their periods, quotes, charges and scheduled changes; writes who pays (`coverage`) for the models it
covers. It never touches credit, and never asks Stripe inside a transaction.

    choosing.py    what a customer may choose, and its price      calendar.py, prices.py   when and how much: pure
    beginning.py   the first payment, and what it begins          renewals.py              period ends, grace, the end
    upgrading.py   at once, by a quote                            ending.py                what ends a plan
    cover.py       dates who pays, ahead of time                  earning.py               fees become revenue
    rises.py       a higher price, told ahead      ahead.py               what they will do by themselves: the timeline
    hearing.py     what became of a payment for a plan            telling.py               what people are told
    showing.py     what people see
"""

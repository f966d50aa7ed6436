"""Crash at every step: each path that money takes is run by a process of its own, and killed at each step in turn.

A step is a commit (before it, and after it while its answer is not known yet) or a call to Stripe (before it is sent, and
after Stripe has done it while its answer is not used yet). Then only what runs in production by itself goes on: Stripe's
webhooks, the tasks of the clock, and whoever sent something and got no answer sends it again. In the end nothing may be lost
and nothing doubled.

    paths.py        what a path is           paying.py, using.py ...   the paths themselves, one entry each
    steps.py        counts, and kills        forks.py                  the process that is killed, from a warm one
    recovery.py     what happens by itself   oracles.py                what must be true afterwards
    plants.py       faults that this suite must find
"""

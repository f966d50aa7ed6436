"""ON THE WAY DOWN. Owns the standing permission to charge a saved card when credit runs low, and what came of it: the rule
and who agreed to it, the attempts with the figures of that second. What is charged is decided by `policy.py`, which is pure;
`recharging.py` does it, `levels.py` knows whose balance is low by usage, `ladder.py` and `finishing.py` what follows when
the bank refuses, `rules.py` who agreed to what. It posts nothing: a recharge that is paid is a payment like any other."""

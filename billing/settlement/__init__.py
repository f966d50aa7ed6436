"""AT PERIOD END. Owns the settlement of an organization's calendar month: what was owed when it was closed, what of it is
charged to a card, written off or carried, and what became of that charge. `deciding.py` is pure, `closing.py` closes months
in sets, `dunning.py` collects and tries again, `ceilings.py` says
how much of an overdraft a card is charged at most. It knows nothing of auto-recharge: who has it is told from above."""

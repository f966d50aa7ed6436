"""MONEY COMING IN, AND GOING BACK: intents, refunds, disputes, the calls to Stripe, and what came of them.

An intent is committed first, Stripe is called outside any transaction, and one `settle` applies the outcome, whoever
brings it: the answer, the webhook or the poller. An unknown outcome is asked about, never repeated blindly. `gateway/` is
the only import of `stripe`; `reconciling.py` compares its lists with the books each night.
"""

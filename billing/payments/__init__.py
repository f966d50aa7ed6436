"""MONEY COMING IN: intents, the calls to Stripe, and what came of them. `gateway.py` is the only import of `stripe`.

An intent is committed first, Stripe is called outside any transaction, and one `settle` applies the outcome, whoever
brings it: the answer, the webhook or the poller. An unknown outcome is asked about, never repeated blindly.
"""

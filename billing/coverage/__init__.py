"""WHO PAYS: dated facts about which payer stands for an organization's usage of a model.

Written by limits (a Personal organization's credit crossing zero), plans, contracts and later the marketplace; read by
metering. `promised.py` asks for what time a contract was accepted. Owns no money. Lock the organization's wallet, check,
then insert; the exclusion constraint is the wall.
"""

"""WHO PAYS: dated facts about which payer stands for an organization's usage of a model.

Written by limits (a Personal organization's credit crossing zero) and later by plans, contracts and the marketplace; read
by metering. Owns no money. Lock the organization's wallet, check, then insert; the exclusion constraint is the wall.
"""

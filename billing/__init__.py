"""Everything about money and usage, one folder per domain. Imports run from top to bottom only:

    views | api | tasks | admin | management
    webhooks                     what others tell us
    flows                        READ FIRST: the life of an account, one short function per event
    graphs | statements | verifying   what people see; what they keep; whether the books are right
    limits                       what a key may do
    recharge | settlement        on the way down: a saved card is charged; at period end: a month is closed
    metering                     use coming in
    subscriptions                what was promised: plans
    payments                     money coming in
    notices                      what people are told
    ledger | catalog | coverage  what is owed, what is sold, who pays
    money | periods | queue      foundation

Two rivers, one sea:

    usage:    ingest -> who pays? -> rate -> draw -> |
                                                     | balance -> limits -> graphs
    payment:  collect -> webhook -> outcome -> grant |

Upstream pushes into the ledger, downstream pulls from it, the ledger calls no one. Start reading at `flows/`,
then `ledger/README.md`.
"""

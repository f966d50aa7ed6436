"""WHAT PEOPLE ARE TOLD. Owns the notices of an organization: each written once, in the transaction of what it tells of,
then listed in the portal and sent as mail. Knows facts (amounts, moments, names), never why a thing happened; moves no
money."""

"""WHAT IS PROMISED IN PUBLIC: the cancellation policy, dated and versioned.

Owns its words and their earlier versions. Figures come from the rooms whose rules they are, so that the page cannot say
anything else than what the portal does. No tables; it never reads an organization.
"""

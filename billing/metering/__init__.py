"""USE COMING IN: events from gateways, counted once, rated once, charged within seconds.

Owns events, deltas, rollups and gateways. The door is `ingest.py`, the sweep is `charging.py`. Never rounds, never
refuses for money, never holds an account lock while a gateway waits.
"""

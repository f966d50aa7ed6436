"""WHAT IS OWED: accounts and transfers that only ever grow. Owns every cent; calls no other domain.

Start with README.md beside this file.
"""

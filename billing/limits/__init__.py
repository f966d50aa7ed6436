"""WHAT A KEY MAY DO: the answer a gateway gets, its version, and the feed of what changed. Owns no money."""

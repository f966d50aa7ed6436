"""How fast the hot paths are, as ratios measured side by side in one run: `make bench`. See docs/performance.md."""

"""WHAT PEOPLE KEEP. Owns statements, receipts and the details they are made out to: each written once, numbered without
gaps and never changed. Draws them from the ledger and the rollups alone, independent of every page; moves no money."""

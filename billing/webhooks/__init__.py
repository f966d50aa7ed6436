"""WHAT OTHERS TELL US: verify the raw bytes, store once, answer, then work from the table."""

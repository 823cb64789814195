"""The Restore tab: the picture of an LR file."""

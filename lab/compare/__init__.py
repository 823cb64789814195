"""The Compare tab: one picture through several methods, and the examples that are computed beforehand."""

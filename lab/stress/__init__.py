"""The Stress tab: damaged LR pictures, and bytes against codecs."""

"""The page: what its tabs show, and what they do. `app.py` puts them together and serves them."""

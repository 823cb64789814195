"""What the page does, without its components: runs, tables, cards, files. `app.py` puts components around it."""

"""`python -m fgrn`."""

from fgrn.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

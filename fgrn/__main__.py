"""`python -m fgrn`."""

from fgrn.cli import main
from fgrn.memory import keep_freed_memory

if __name__ == "__main__":
    keep_freed_memory()
    raise SystemExit(main())

"""``python -m sweep``."""

from sweep.door.cli import main

if __name__ == "__main__":
    main()

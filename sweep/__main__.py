"""``python -m sweep``."""

import sys

try:
    from sweep.door.cli import main
except KeyboardInterrupt:  # before anything has begun
    sys.exit(130)

if __name__ == "__main__":
    main()

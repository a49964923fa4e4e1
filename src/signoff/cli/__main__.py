"""`python -m signoff.cli`: the command line without its script."""

import sys

from signoff.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

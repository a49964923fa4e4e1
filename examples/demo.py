"""`make demo`: one model's whole story on real data, from the first training to the rollback, then yours to try.

Starts the whole stack in a throw-away home and plays the story through the command line. Ends with 0 only if every step
really happened, and leaves nothing behind. Ends by itself without a terminal, or with DEMO_ONCE=1.
"""

from __future__ import annotations

import sys

from demo.main import main

if __name__ == "__main__":
    sys.exit(main())

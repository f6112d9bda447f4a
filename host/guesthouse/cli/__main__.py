"""``python -m guesthouse.cli`` is ``guesthouse``."""

import sys

from guesthouse.cli import main

sys.exit(main())

"""`python -m transports`."""

import sys

from transports.cli import main

sys.exit(main())

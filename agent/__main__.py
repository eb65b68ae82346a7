"""``python -m agent`` is ``hikae``."""

import sys

from agent.cli.main import main

sys.exit(main())

"""``python -m jupyter_training`` is ``jupyter training``."""

import sys

from jupyter_training.cli import main

sys.exit(main())

#!/usr/bin/env python3
"""The one door to RecFlow: `python3 manage.py playground` works in a bare clone, `help` lists the rest."""

import sys

if sys.version_info < (3, 11):  # before anything that an old Python could not even read
    sys.exit(
        "RecFlow needs Python 3.11 or newer, this is %d.%d: try python3.13 manage.py" % sys.version_info[:2]
    )

from recflow.bootstrap import main

if __name__ == "__main__":
    main(sys.argv)

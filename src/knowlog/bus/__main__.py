"""`python -m knowlog.bus` publishes the schemas of the catalogue of events."""

import sys

from knowlog.bus.publishing import main

sys.exit(main())

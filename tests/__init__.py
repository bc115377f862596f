"""The test suite.  What it has loaded is not searched for garbage at every few objects: it would be all the time."""

import gc

gc.set_threshold(50_000, 20, 100)

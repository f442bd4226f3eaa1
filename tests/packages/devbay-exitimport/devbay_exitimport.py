"""Mistake: ends the process when it is imported, as a script without a main guard would."""

import sys

sys.exit("devbay_exitimport is not for importing")

"""Too old: declares itself in the entry-point group of a contract before ours. Never imported, or it would say so."""

raise RuntimeError("devbay_early was imported, though its contract is not the host's")

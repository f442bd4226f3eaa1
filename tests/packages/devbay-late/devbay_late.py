"""Too new: declares itself in the entry-point group of a contract after ours. Never imported, or it would say so."""

raise RuntimeError("devbay_late was imported, though its contract is not the host's")

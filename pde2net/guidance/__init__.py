"""Which scheme to take: schemes that reach a stopping time stably, with what they cost and what is proved."""

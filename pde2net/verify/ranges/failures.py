"""Exceptions on the way to a claim: a person reads a sentence, whoever looks for faults reads the log."""

from __future__ import annotations

import logging

LOG = logging.getLogger("pde2net.verify")


def given_up(what: str, error: Exception) -> str:
    """The sentence "no answer was found for ..."; the exception goes to the log "pde2net.verify".

    SymPy gives up in many ways, none of which may become an answer or a traceback; each is a fault to mend.
    """
    LOG.debug("%s: %s", what, type(error).__name__, exc_info=error)
    return f"no answer was found for {what}"

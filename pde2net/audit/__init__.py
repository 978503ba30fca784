"""A second, smaller verifier that starts from the JSON of a certificate."""

from pde2net.audit.recheck import recheck

__all__ = ["recheck"]

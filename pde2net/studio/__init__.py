"""A local page to try equations on: `pde2net studio`. session.py computes, page.py shows."""

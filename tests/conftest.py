"""Puts tests/ on the import path (for `support`) and fixes what hypothesis does."""

from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=40, derandomize=True, print_blob=True)
settings.load_profile("suite")

"""Time discretisations: one short file each."""

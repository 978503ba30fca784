"""The states that a network passes through: followed, measured, stopped early, kept and shown."""

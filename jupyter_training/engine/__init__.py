"""The running system: it owns the loops and brings store and executors together."""

"""Where jobs run: one port, several adapters."""

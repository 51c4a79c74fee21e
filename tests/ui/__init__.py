"""The extension in a real browser."""

"""What stands in a command for something that only its job knows."""

SCRIPT_PLACEHOLDER = "{script}"
"""An element of `command` that stands for the path of the stored script."""

"""What is measured, each figure next to a bare baseline in the same run."""

"""What a job is: its specification, its lifecycle, its progress. No I/O, no clock, no database."""

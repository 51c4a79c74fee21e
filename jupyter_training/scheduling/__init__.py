"""Who runs where and when. Pure: no I/O, no clock, no database."""

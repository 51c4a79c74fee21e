"""The database: the only place that speaks SQL.

`database` opens it and gives transactions; `tables` is the schema; the other modules are functions
on a connection, so that several of them can be one transaction.
"""

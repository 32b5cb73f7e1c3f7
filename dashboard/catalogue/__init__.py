"""Users, items and feedback in the database: writing them in batches, reading them in pages.

Raw SQL that both SQLite and PostgreSQL understand, because an object a row made five million rows take three
minutes instead of twenty seconds. No HTTP, no arrays.
"""

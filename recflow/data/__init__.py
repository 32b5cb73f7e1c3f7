"""What is known: users, items and feedback as immutable arrays.

No database, no Django, no clock: storage hands rows in through a Protocol (store.py).
"""

"""Calls strangers' machines: guarded HTTP with deadline, cap, address check, retry, breaker, rate.

No Django, engine or nodes may come in; what an answer means is the caller's business.
"""

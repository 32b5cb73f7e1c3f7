"""The score and filter language: grammar, type check, evaluation over all items.

No Django, httpx or engine may come in: an expression knows items, users and feedback, not flows.
"""

"""Runs strangers' code: templates and scripts of users, in child processes that can be killed.

No Django, engine or nodes may come in; what a template may see is handed over as data. This file and
recflow/__init__.py import nothing: each child process starts with them.
"""

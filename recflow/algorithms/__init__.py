"""Arithmetic: arrays in, arrays out.

No files, clocks, HTTP, Django or flow concepts may come in.
"""

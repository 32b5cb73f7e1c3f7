"""Measure before you trust: rankers, whole flows, two versions side by side, and what happens online.

The arithmetic is in recflow.evaluation; here it meets rows, flows and model services. No pages and no wire
formats may come in.
"""

"""Figures, printed: how fast and how large, each as a ratio within one run where two things are compared.

No test may depend on a time measured here; machines are shared and noisy.
"""

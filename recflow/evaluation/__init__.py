"""How good is it: splits, metrics and the comparison of rankers.

No Django or HTTP may come in; a ranker is a plain callable here.
"""

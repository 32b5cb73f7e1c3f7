"""Asks a model to rank: the wire formats, the prompt, the reading of the answer.

No Django or engine may come in; candidates are plain records with an id here.
"""

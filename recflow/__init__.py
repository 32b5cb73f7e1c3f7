"""RecFlow: the recommender engine. Flows, their nodes, the arithmetic and the guards around strangers' code.

Nothing of the web may come in here: settings.py, urls.py and asgi.py are the only files that name the
dashboard.
"""

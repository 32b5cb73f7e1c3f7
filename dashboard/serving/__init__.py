"""How a request for recommendations is answered: from the list prepared for the user, as of this moment.

No HTTP and no page: dashboard/api/serve.py asks here. Nothing here waits for a language model.
"""

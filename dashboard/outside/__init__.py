"""Other people's machines as this server knows them: endpoints, secrets, limits, kept answers, a call log.

The wire formats and guards are recflow's; here is only what the administrator decided, and what is kept.
"""

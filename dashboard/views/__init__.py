"""Pages: parse, call, answer. What they show is decided in templates/ and static/."""

"""The engine of Livesheets: a git branch in, Snapshots out.

Knows nothing of HTTP, tokens, metrics or the environment; `server` builds on it, never the other way round.
"""

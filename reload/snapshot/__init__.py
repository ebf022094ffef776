"""The state file and the Snapshot: the only room that knows SQLite and the search index.

`tables/` writes, `query/` asks, `snapshot.py` holds everything that a reader can ask at one commit.
"""

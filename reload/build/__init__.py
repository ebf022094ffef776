"""The next Snapshot, made off the event loop: by difference, or from scratch in a child process.

`builder.py` does one reload up to the swap. Nothing here runs on the loop.
"""

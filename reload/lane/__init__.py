"""Reloads, one at a time, on the event loop: the Reloader, the Poller, outcomes and their history.

This is the only room with the lock and the swap. Work that blocks is handed to a thread.
"""

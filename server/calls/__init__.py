"""Calls of the webhook: their bodies, what they ask for, and those that were answered before."""

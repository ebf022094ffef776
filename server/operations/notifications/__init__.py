"""Notifications: a refused commit, lasting staleness and recovery are sent to a URL or to Sentry."""

"""What every request passes: host, limits, errors, negotiation, responses, the access log.

Nothing here knows which routes there are.
"""

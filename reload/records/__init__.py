"""What data is: sheet definitions, path templates, record formats, JSON Schemas.

Everything here turns bytes into values or problems. Nothing here knows git or SQLite.
"""

"""The data repository: the only room that knows git.

Commands, fetches, refs, objects, differences, maintenance and damage. Git's output leaves as values.
"""

"""Handlers only translate: read the input, call one thing, write the output."""

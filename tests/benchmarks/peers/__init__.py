"""Processes that Livesheets is compared with, each as little as it can be."""

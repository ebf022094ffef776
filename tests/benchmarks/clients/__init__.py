"""Clients in processes of their own, so that measuring takes no time from what is measured."""

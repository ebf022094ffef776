"""The description of the API in OpenAPI 3.1: what there is to read at one commit."""

"""The environment: which variables there are, and what their values must look like."""

"""The benchmark: Livesheets, its peers and its floors side by side, on data that it makes itself."""

"""The promises as a model, and a life of one engine that is held against it."""

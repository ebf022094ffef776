"""What operators see: health, status, metrics, logs, notifications."""

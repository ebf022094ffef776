"""Log lines: values fit to be shown, secrets taken out, written without making anybody wait."""

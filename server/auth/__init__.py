"""Who calls: keys, credentials, signatures of forges, and limits on failed attempts."""

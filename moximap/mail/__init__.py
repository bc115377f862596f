"""What a message is: MIME parts, envelope, addresses, text (pure functions on bytes)."""

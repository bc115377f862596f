"""Mail coming in from elsewhere: import and deliver."""

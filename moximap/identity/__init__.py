"""Who is there: TLS keys, SASL mechanisms, passwords."""

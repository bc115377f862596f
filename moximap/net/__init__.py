"""TLS contexts, certificates and listeners."""

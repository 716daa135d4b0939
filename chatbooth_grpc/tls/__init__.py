"""TLS: a server's certificate, and a client's trust in it, for both protocols."""

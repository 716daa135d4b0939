"""TLS: a server's certificate and a client's trust in it. Knows neither gRPC nor the wire protocol."""

"""The gRPC server: a thread pool over the booth, its flags and its interceptors."""

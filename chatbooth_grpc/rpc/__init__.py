"""The gRPC encoding that server and client share: messages, errors and action numbers."""

"""The comparison of the two wires: what gRPC costs and gives against a hand-made protocol."""

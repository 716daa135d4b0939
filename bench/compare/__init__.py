"""The comparison of the two wires: the costs and gains of gRPC and of a hand-made one."""

"""The performance harness: what chatbooth reaches, beside the floors of what it is built on."""

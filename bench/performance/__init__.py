"""The performance harness: chatbooth's figures, beside the floors below it."""

"""The action semantics: what each action means, on every transport and every store."""

"""The history checker: clients, faults, and a check of the promises afterwards."""

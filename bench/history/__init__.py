"""The history checker: clients, faults, and whether what the clients were told keeps the promises."""

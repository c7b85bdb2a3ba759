"""What each command takes: one module per group of commands. Nothing heavy is imported here."""

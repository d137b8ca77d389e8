"""The command that holds the promises against the running stores."""

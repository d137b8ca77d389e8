"""Values that several rooms read and write the same way: money as text, times, identities, addresses. No I/O."""

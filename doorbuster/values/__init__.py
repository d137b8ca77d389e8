"""Values that several rooms read and write the same way: money as text, times, identities of people, addresses. No I/O."""

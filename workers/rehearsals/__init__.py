"""What rehearsals leave: a shift that removes it."""

"""What is done to one order by hand: units taken off, sent, given back, on the order that is locked."""

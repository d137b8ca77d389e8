"""What the room's store keeps of a sale beside its room: counts by minute, and the last minutes as ops watch them."""

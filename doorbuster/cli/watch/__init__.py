"""`doorbuster watch`: how sales go, in a terminal."""

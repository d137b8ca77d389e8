"""`doorbuster orders ...`: orders as ops list, show, export and move them."""

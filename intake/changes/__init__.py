"""Puts changes of sales and units in force in every intake process. Decides none of them."""

"""The catalogue: fast reads of products that are never wrong for good."""

PART_OF = "doorbuster"

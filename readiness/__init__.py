"""Whether a sale can begin: what it needs is warmed up and measured, and judged the same way whoever looks."""

PART_OF = "doorbuster"

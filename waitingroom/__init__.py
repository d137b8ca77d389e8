"""The waiting room: tickets, token bucket, admissions, the waiting page; its scripts are one file a verb."""

PART_OF = "doorbuster"

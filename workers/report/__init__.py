"""The report of a sale that is over, written once by whichever scheduler comes first."""

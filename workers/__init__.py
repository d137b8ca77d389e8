"""RQ jobs that work off what the intake accepted: shifts, their leases, and the scheduler that starts them."""

from doorbuster.interrupted import quietly
from doorbuster.rooms import require_rooms

PART_OF = "doorbuster"

quietly()
require_rooms()  # here, because every module of this room imports others at its head

"""What lies in the order store beside orders: failures of the scheduler, timelines of Postgres. A key each."""

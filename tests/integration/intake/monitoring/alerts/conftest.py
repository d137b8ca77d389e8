"""What the walks of the runbook's rows share."""

from tests.fixtures.night import night as night
from tests.fixtures.runbook_rows import row as row

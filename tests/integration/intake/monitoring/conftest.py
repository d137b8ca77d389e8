"""What the walks of the runbook share."""

from tests.fixtures.night import night as night

"""People and the organizations they belong to. Never imports billing: money knows organizations, not the reverse."""

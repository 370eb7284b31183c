"""Alert episodes: what rules and people make of the alerts of an account."""

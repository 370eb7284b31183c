"""The journal folded again beside the live state: to compare, or with changes that did not happen."""

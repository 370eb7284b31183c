"""Import of a team's own history: files of rows, by a mapping file, as events of the input topics."""

"""Operations on a deployment: topics, checks, roles, model changes, replay, repair of dead letters."""

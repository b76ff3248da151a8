"""Operations that are composed of other operations, in readable Python; see `_public` for how they become public."""

"""Operations that change who serves, or what is served: lists of recorded steps, asked for alike."""

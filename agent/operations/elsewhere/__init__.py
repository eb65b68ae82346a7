"""Operations that are typed on one node and concern another: passed on, and decided anew there."""

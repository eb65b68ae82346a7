"""Operations on the datasets of a group together: declared once each, like any other, and asked of one of the datasets."""

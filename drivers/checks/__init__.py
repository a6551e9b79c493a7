"""What a board is tested for: each check takes a board and returns a figure, or says what is wrong with it."""

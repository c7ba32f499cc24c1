"""What is done to the board itself: its folder, what is installed there, what is deployed."""

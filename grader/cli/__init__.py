"""The command line and the terminal page, in Chinese and English."""

"""What takes a while for each fruit and is done beside the line: maps of skin."""

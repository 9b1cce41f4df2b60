"""The nouns: frozen records that every floor shares. No behaviour beyond checks."""

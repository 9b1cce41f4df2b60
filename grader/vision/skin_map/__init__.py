"""The whole skin of a fruit, once: all views laid onto one map, each spot of skin where it belongs."""

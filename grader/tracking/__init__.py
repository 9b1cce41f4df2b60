"""Which fruit is it: views, weighings and scans joined by encoder pulse."""

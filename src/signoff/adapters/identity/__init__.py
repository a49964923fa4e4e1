"""Who else says who somebody is."""

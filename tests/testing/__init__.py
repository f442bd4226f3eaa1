"""What `devbay.testing` offers, held to its own words."""

"""The budgets of this project as figures: `make bench`. Measures the host from outside; nothing imports it."""

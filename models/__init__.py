"""Networks and the tasks that train them."""

"""What people come with: whole jobs, written as a new user would write them."""

"""What tests share beside fixtures: real services and the accounts that are kept over them."""

"""What the commands of `xscheme` do: each module holds the functions behind one group of them."""

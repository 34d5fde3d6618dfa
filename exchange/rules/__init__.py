"""Pure decisions and the values of the exchange."""

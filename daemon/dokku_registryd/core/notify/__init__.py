"""What an operator is told, when, and in which words."""

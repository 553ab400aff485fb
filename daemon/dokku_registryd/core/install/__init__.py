"""What an installation consists of, and the steps from one state to another."""

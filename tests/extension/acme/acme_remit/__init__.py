"""Extensions of Remit."""
